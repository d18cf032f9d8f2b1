// @ts-expect-error
import jwtDecode from 'jwt-decode';

import { IReduxState } from '../app/types';

import { isAllowed, normalizeUserName } from './saslprep';

/*
 * hardener: who has logged in. It is kept in this module's memory: the store can be read by every part of the page and may be
 * kept, so that a password must not be there, nor in an object that is part of it. The library keeps it for the next
 * connection in a function of its own (login-no-password-kept-in-the-connection.patch).
 */

/** How people prove who they are. */
export type LoginMode = 'password' | 'token';

/** A person whom the server has let in. */
export interface ILogin {

    /** The XMPP domain that has accepted the login. */
    domain: string;

    /** The XMPP address to connect with; a token has none. */
    id?: string;

    mode: LoginMode | 'recorder';

    /** What to call the person. */
    name: string;

    password?: string;
}

/** The part of config.js that is ours. */
interface IPersonalLoginConfig {
    mode?: unknown;
    userDomains?: unknown;
}

/** Parameters of an address that allow a login: a token, and what Jibri's link carries (recorder.ts). */
const SECRETS = [ 'jwt', 'appData.localStorageContent' ];

/** Seconds by which clocks may differ when the page looks at a token. */
const CLOCK_SKEW = 60;

/** Milliseconds for the question what time it is at the server. */
const PATIENCE_WITH_CLOCK = 2000;

/** Milliseconds by which the server's clock is ahead of the computer's. */
let _ahead = 0;

/** How a token may be signed. Whether it is, the server sees; "none" and unknown ways need not be sent to it. */
const SIGNATURES = /^(?:(?:HS|RS|ES|PS)(?:256|384|512)|EdDSA)$/;

/** Characters that the first part of an XMPP address cannot hold (XEP-0106). */
const ESCAPED = /[ "&'/:<>@]|\\(?=20|22|26|27|2f|3a|3c|3e|40|5c)/gi;

let _login: ILogin | undefined;

let _wasLoggedIn = false;

let _announce: () => void;

/** Resolves when a person logs in. What only a meeting needs is loaded then (login-before-sounds-and-olm.patch). */
export const loggedIn = new Promise<void>(resolve => {
    _announce = resolve;
});

/**
 * Keeps a login that the server has accepted.
 *
 * @param {Object} login - The login.
 * @returns {void}
 */
export function remember(login: ILogin) {
    _login = login;
    _wasLoggedIn = true;
    _announce();
}

/**
 * Returns whether a person has logged in since the page was loaded. It stays so when the token runs out or the meeting ends:
 * sounds that are loaded must not be taken away in a meeting, nor before the one that says that it has ended.
 *
 * @returns {boolean}
 */
export function wasLoggedIn(): boolean {
    return _wasLoggedIn;
}

/**
 * Forgets who has logged in.
 *
 * @returns {void}
 */
export function forget() {
    _login = undefined;
}

/**
 * Returns who has logged in.
 *
 * @param {Object} state - The redux state.
 * @returns {Object|undefined} The login, or undefined where there is none, or where its token has run out.
 */
export function getLogin(state: IReduxState): ILogin | undefined {
    return _login?.mode === 'token' && !isUsableToken(state['features/base/jwt'].jwt) ? undefined : _login;
}

/**
 * Returns the part of the configuration that is ours. Neither links nor embedding pages can set it
 * (hardener/configAllowList).
 *
 * @param {Object} state - The redux state.
 * @returns {Object}
 */
function getConfig(state: IReduxState): IPersonalLoginConfig {
    return Object((state['features/base/config'] as { personalLogin?: unknown; }).personalLogin);
}

/**
 * Returns how people log in. config.js chooses; there is no third value, and none that switches it off.
 *
 * @param {Object} state - The redux state.
 * @returns {string} 'password' or 'token'.
 */
export function getLoginMode(state: IReduxState): LoginMode {
    const { mode } = getConfig(state);

    if (mode === 'password' || mode === 'token') {
        return mode;
    }

    return state['features/base/config'].tokenAuthUrl ? 'token' : 'password';
}

/**
 * Ask something of a server, and wait for the beginning of its answer no longer than that.
 *
 * @param {string} address - What is asked for.
 * @param {number} patience - Milliseconds.
 * @param {Object} options - Those of fetch().
 * @returns {Promise<Response>} Rejects where there is no answer in time.
 */
export async function fetchWithin(address: string, patience: number, options?: RequestInit): Promise<Response> {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), patience);

    try {
        return await fetch(address, { ...options,
            signal: abort.signal });
    } finally {
        clearTimeout(timer);
    }
}

/**
 * Ask the web server for its time. The times in a token are the server's, and the clock of a computer may be wrong by days: a token
 * that looks too old or too new has to be so there as well. Without an answer, the computer's clock decides.
 *
 * @returns {Promise<void>}
 */
async function readServerClock() {
    try {
        const { headers } = await fetchWithin(document.baseURI, PATIENCE_WITH_CLOCK, { cache: 'no-store',
            method: 'HEAD' });

        _ahead = Date.parse(headers.get('Date') ?? '') - Date.now() || 0;
    } catch {
        // The server cannot be asked.
    }
}

/**
 * Returns whether a token could be one that the server accepts: signed in a known way, and not run out. A look that spares
 * people a refusal; whether the signature is right, only the server knows.
 *
 * @param {string|undefined} token - A JSON Web Token.
 * @returns {boolean}
 */
export function isUsableToken(token?: string): boolean {
    try {
        const { alg } = jwtDecode(token, { header: true });
        const { exp, nbf } = jwtDecode(token);
        const now = (Date.now() + _ahead) / 1000;

        return /^[^.]+\.[^.]+\.[^.]+$/.test(token ?? '') && SIGNATURES.test(alg)
            && typeof exp === 'number' && exp > now - CLOCK_SKEW
            && (typeof nbf === 'undefined' || nbf < now + CLOCK_SKEW);
    } catch {
        return false;
    }
}

/**
 * Returns whether a token could be one that the server accepts. One that only the computer's clock is against is looked at
 * by the server's time, here and from now on.
 *
 * @param {string|undefined} token - A JSON Web Token.
 * @returns {Promise<boolean>}
 */
export async function isUsableAtServer(token?: string): Promise<boolean> {
    isUsableToken(token) || await readServerClock();

    return isUsableToken(token);
}

/**
 * Returns an address without what allows a login.
 *
 * @param {URL|undefined} address - The address; the page's own where there is none.
 * @returns {URL}
 */
export function withoutToken(address?: URL): URL {
    const url = new URL(address?.href || window.location.href);

    SECRETS.forEach(name => url.searchParams.delete(name));
    url.hash = url.hash.slice(1)
        .split('&')
        .filter(part => !SECRETS.includes(part.split('=')[0]))
        .join('&');

    return url;
}

/**
 * Returns the XMPP address for a typed user name. What follows an "@" is left off where it is the domain of the
 * accounts, or one that config.js names in personalLogin.userDomains; otherwise it is a part of the name, and escaped.
 *
 * @param {string} userName - What was typed.
 * @param {Object} state - The redux state.
 * @returns {string|undefined} Undefined where there can be no such account.
 */
export function toLoginId(userName: string, state: IReduxState): string | undefined {
    const domain = getLoginDomain(state);
    const { userDomains } = getConfig(state);
    const known = [ domain, ...Array.isArray(userDomains) ? userDomains : [] ].map(item => String(item).toLowerCase());
    const name = normalizeUserName(userName);
    const at = name.lastIndexOf('@');
    const node = (at > 0 && known.includes(name.slice(at + 1).toLowerCase()) ? name.slice(0, at) : name)
        .replace(ESCAPED, sign => `\\${sign.charCodeAt(0).toString(16)}`);

    return isAllowed(node) ? `${node}@${domain}` : undefined;
}

/**
 * Returns the domain of the accounts.
 *
 * @param {Object} state - The redux state.
 * @returns {string}
 */
export function getLoginDomain(state: IReduxState): string {
    return state['features/base/config'].hosts?.domain ?? window.location.hostname;
}
