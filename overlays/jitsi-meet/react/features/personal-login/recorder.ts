import { safeJsonParse } from '@jitsi/js-utils/json';

import { parseURLParams } from '../base/util/parseURLParams';

/*
 * hardener: Jibri, the recorder, brings account and room password in the address of its own browser, or leaves them in that
 * browser's storage. Upstream takes any account in this way: a link decides as whom a person joins. Here it has to be of the
 * recorders' own domain (hiddenDomain in config.js, which no link can set), and nothing else is taken.
 */

/** A recorder's account, not yet verified. */
export interface IRecorderAccount {
    id: string;
    password: string;
    roomPassword?: string;
}

const KEYS = {
    id: 'xmpp_username_override',
    password: 'xmpp_password_override',
    roomPassword: 'xmpp_conference_password_override'
};

let _account: IRecorderAccount | undefined;

/**
 * Takes a recorder's account from the address or from the storage. To be called once, before the storage is cleaned.
 *
 * @returns {void}
 */
export function takeRecorderAccount() {
    const hiddenDomain = (window as any).config?.hiddenDomain;

    if (typeof hiddenDomain !== 'string' || !hiddenDomain) {
        return;
    }

    try {
        const link = Object(safeJsonParse((parseURLParams(window.location as any) as any)['appData.localStorageContent']
            || '{}'));
        const [ id, password, roomPassword ]
            = [ KEYS.id, KEYS.password, KEYS.roomPassword ].map(key => link[key] ?? window.localStorage.getItem(key));

        if (typeof id === 'string' && typeof password === 'string' && password
                && /^[^@/]+@([^@/]+)$/.exec(id)?.[1] === hiddenDomain) {
            _account = {
                id,
                password,
                roomPassword: typeof roomPassword === 'string' ? roomPassword : undefined
            };
        }
    } catch {
        // No storage, or an address that is none of a recorder's.
    }
}

/**
 * Returns the recorder's account, once: whether it is right or wrong, it is not tried again.
 *
 * @returns {Object|undefined}
 */
export function useUpRecorderAccount(): IRecorderAccount | undefined {
    const account = _account;

    _account = undefined;

    return account;
}

/**
 * What a recorder needs of the configuration: it has no hands to click with. Upstream takes these keys from Jibri's link; here
 * no link can set them, and they come with the verified account.
 */
export const RECORDER_CONFIG = {
    iAmRecorder: true,
    p2p: { enabled: false },
    prejoinConfig: { enabled: false },
    requireDisplayName: false,
    startWithAudioMuted: true,
    startWithVideoMuted: true
};

/** Where upstream's conference.js looks for the room password of a recorder. */
export const ROOM_PASSWORD_KEY = KEYS.roomPassword;
