import { IReduxState } from '../app/types';
import { getInviteURL } from '../base/connection/functions';
import { URI_PROTOCOL_PATTERN } from '../base/util/uri';

/**
 * Returns where F-Droid offers the Android app; config.js can name another address, or turn the app off by an empty one
 * (deeplinking.android.fDroidUrl). No link, embedding page or branding can: the key is not on the allow-list.
 *
 * @param {IReduxState} state - The redux state.
 * @returns {string} The address, or an empty text where only the browser is to be used.
 */
export function getFDroidURL(state: IReduxState): string {
    return state['features/base/config'].deeplinking?.android?.fDroidUrl ?? '';
}

/**
 * Returns the address that opens the room in an Android app that is installed. A browser that does not find the app takes
 * the fall-back: without one, Chrome would open the page of Google's store. The room's address is the bare one, without what
 * a link has added: neither a token nor a second fall-back gets into it.
 *
 * @param {IReduxState} state - The redux state.
 * @returns {string|undefined} The address, or undefined where F-Droid is not to be used.
 */
export function getInstalledAppURL(state: IReduxState): string | undefined {
    const fDroidUrl = getFDroidURL(state);

    if (!fDroidUrl) {
        return undefined;
    }

    const { appPackage, appScheme } = state['features/base/config'].deeplinking?.android ?? {};
    const room = getInviteURL(state).replace(new RegExp(URI_PROTOCOL_PATTERN, 'i'), '');

    return `intent:${room}#Intent;scheme=${appScheme};package=${appPackage};`
        + `S.browser_fallback_url=${encodeURIComponent(fDroidUrl)};end`;
}
