import { IReduxState } from '../app/types';
import { showSuccessNotification } from '../notifications/actions';
import { NOTIFICATION_TIMEOUT_TYPE } from '../notifications/constants';

import { getFDroidURL } from './mobileApp';

/**
 * Returns an invitation with our notes: one needs a personal account, phones and tablets take the browser or the app from
 * F-Droid, and the password comes by another channel. Appended here, and not in upstream's texts, so that the notes are
 * there in every language: where they are not translated, i18next takes the English ones.
 *
 * @param {string} invitation - Upstream's text.
 * @param {IReduxState} state - The redux state.
 * @param {Function|undefined} t - The translate function that made the text.
 * @param {string} separator - The text between paragraphs: line breaks, or a blank where there must be none.
 * @returns {string} The text with the notes.
 */
export function withInviteNotes(
        invitation: string,
        state: IReduxState,
        t: Function | undefined,
        separator: string): string {
    const url = getFDroidURL(state);
    const { locked } = state['features/base/conference'];

    return [
        invitation.trimEnd(),
        t?.('hardenedInvite.loginNote'),
        url ? t?.('hardenedInvite.mobileNote', { url }) : t?.('hardenedInvite.mobileNoteBrowser'),
        t?.(locked ? 'hardenedInvite.passwordNote' : 'hardenedInvite.passwordNoteIfSet')
    ].join(separator);
}

/**
 * Says, once the password is in the clipboard, that it must not go the way of the link.
 *
 * @returns {Function} The action to dispatch.
 */
export function notifyPasswordCopied() {
    return showSuccessNotification({
        descriptionKey: 'hardenedInvite.passwordHint',
        titleKey: 'hardenedInvite.passwordCopied'
    }, NOTIFICATION_TIMEOUT_TYPE.MEDIUM);
}
