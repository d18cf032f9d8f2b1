import { IReduxState } from '../app/types';
import { constructOptions } from '../base/connection/actions.any';
import JitsiMeetJS, { JitsiConnectionErrors, JitsiConnectionEvents } from '../base/lib-jitsi-meet';

import { fetchWithin } from './functions';

/**
 * Why the server has not let a person in. 'refused': name, password or token are wrong. 'unreachable': no answer, or one
 * that says nothing about the login. 'unsupported': the server has no personal login of this kind. 'passwordNotAllowed',
 * 'userNotAllowed': no server has such a password or account, so that none was asked. 'blocked': the server answers requests
 * of the page, but something on the way lets no connection through. 'undecided': the server has the login, and does not say
 * yes or no: its directory is slow or down, for example.
 */
export type Problem
    = 'blocked' | 'passwordNotAllowed' | 'refused' | 'undecided' | 'unreachable' | 'unsupported' | 'userNotAllowed';

/** What to log in with: an account, or a token. */
interface ICredentials {
    domain: string;
    id?: string;
    password?: string;
    token?: string;
}

/** How an attempt has ended. */
interface IOutcome {

    /** Whether the other way may be tried: the server has neither the login nor a reason to refuse it. */
    open: boolean;

    /** Why it has failed, if it has. */
    problem?: Problem;
}

/** Milliseconds until a server that says nothing counts as unreachable. Upstream waits for 67 seconds. */
const PATIENCE = 12000;

/** Milliseconds until a connection that has not come to the login is given up, where there is another way. */
const PATIENCE_UNTIL_LOGIN = 6000;

/**
 * Milliseconds that a server gets beyond that to decide about a login. Directories take tens of seconds where one of their servers is
 * down; web servers cut a connection on which nothing is said for 60.
 */
export const PATIENCE_WITH_LOGIN = 40000;

/** Milliseconds until a connection that does not close counts as closed. */
const PATIENCE_WITH_CLOSING = 2000;

/** Milliseconds for the question whether the server answers at all. */
const PATIENCE_WITH_PROBE = 2000;

/** What a server says that could not look at the password (RFC 6120, 6.5): its directory is down, for example. */
const NOT_LOOKED_AT = /<(aborted|encryption-required|temporary-auth-failure)\b/;

/** What a server says that has no login for this domain, or none that we know. */
const NO_LOGIN = /host-unknown|no-auth-mech/;

/**
 * Says why a connection has failed.
 *
 * @param {Object} connection - The connection.
 * @param {string} name - The name of the error.
 * @param {string|undefined} message - What the library says of it.
 * @returns {string} A Problem.
 */
export function toProblem(connection: any, name: string, message?: string): Problem {
    if (name !== JitsiConnectionErrors.PASSWORD_REQUIRED) {
        return NO_LOGIN.test(message ?? '') ? 'unsupported' : 'unreachable';
    }

    const refusal = connection.xmpp.connection.getLastFailedMessage() ?? '';

    // Where nothing was refused, there was no way to log in.
    return !refusal ? 'unsupported' : NOT_LOOKED_AT.test(refusal) ? 'undecided' : 'refused';
}

/**
 * Returns whether the password or the token is on its way to the server, or there.
 *
 * @param {Object} connection - The connection.
 * @returns {boolean}
 */
export function isAuthenticating(connection: any): boolean {
    return Boolean(connection.xmpp.connection._stropheConn._sasl_mechanism);
}

/**
 * Disconnects, and takes the password out of what is left: until upstream's 341009ce, the window holds each connection for as long
 * as the page is open. The rest of it goes by login-no-password-kept-in-the-connection.patch.
 *
 * @param {Object} connection - The connection.
 * @returns {Promise<void>} Resolves once the connection is closed, or does not close in time.
 */
export async function disconnectForGood(connection: any) {
    const strophe = connection.xmpp.connection._stropheConn;
    const { socket } = strophe._proto;

    // Strophe is done as soon as it has asked the socket to close.
    const closed = socket && new Promise(resolve => socket.addEventListener('close', resolve));
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise(resolve => {
        timer = setTimeout(resolve, PATIENCE_WITH_CLOSING);
    });

    // An offer of the server that is still on its way gets no login.
    strophe.do_authentication = false;

    const disconnected = Promise.resolve(connection.disconnect())
        .then(() => {
            // A function of the library that has the arguments of connect(), and is called with a change that will not come.
            strophe.connect_callback = undefined;
        })
        .catch(() => undefined);

    await Promise.race([ Promise.all([ closed, disconnected ]), late ]);
    clearTimeout(timer);
}

/**
 * Finds out why no connection came about: the server is down, or something on the way blocks connections and lets requests pass.
 *
 * @param {string|undefined} service - The address of the service.
 * @returns {Promise<string>} A Problem.
 */
async function explain(service?: string): Promise<Problem> {
    try {
        const { status } = await fetchWithin((service ?? '').replace(/^ws/, 'http'), PATIENCE_WITH_PROBE);

        // The web server answers in the place of one that is down with 502, 503 or 504.
        return status < 500 ? 'blocked' : 'unreachable';
    } catch {
        return 'unreachable';
    }
}

/**
 * Asks the server whether it accepts a login, on a connection of its own that is closed at once. Nothing of it reaches the
 * store, and no room is joined: the connection of the meeting starts the meeting as soon as it is established. Where
 * WebSocket or BOSH does not come to the login, the other one is tried. Once the server has the login, it is waited for on
 * that connection: the password is sent once, and a wrong one does not count double.
 *
 * @param {Object} state - The redux state.
 * @param {Object} credentials - What to log in with.
 * @param {AbortSignal} signal - Ends it early; then the Problem says nothing.
 * @returns {Promise<boolean>} Whether it took BOSH. Rejects with a Problem.
 */
export async function verify(state: IReduxState, credentials: ICredentials, signal?: AbortSignal): Promise<boolean> {
    const { bosh, preferBosh, websocket } = state['features/base/config'];
    const first = Boolean(bosh && (preferBosh || !websocket));
    const ways = bosh && websocket ? [ first, !first ] : [ first ];

    for (const way of ways) {
        const patience = way === ways[ways.length - 1] ? PATIENCE : PATIENCE_UNTIL_LOGIN;
        const { open, problem } = await tryWay(state, way, credentials, patience, signal);

        if (!problem) {
            return way;
        }
        if (!open || signal?.aborted) {
            throw problem;
        }
    }

    throw await explain(websocket || bosh);
}

/**
 * Tries to log in one way, on a connection that joins nothing and is closed in the end.
 *
 * @param {Object} state - The redux state.
 * @param {boolean} preferBosh - Whether to connect with BOSH.
 * @param {Object} credentials - What to log in with.
 * @param {number} patience - Milliseconds until the connection has to have come to the login.
 * @param {AbortSignal} signal - Ends it early.
 * @returns {Promise<Object>} How it has ended.
 */
async function tryWay(
        state: IReduxState,
        preferBosh: boolean,
        { domain, id, password, token }: ICredentials,
        patience: number,
        signal?: AbortSignal): Promise<IOutcome> {
    const config = { ...state['features/base/config'],
        preferBosh };
    const options = { ...constructOptions({ ...state,
        'features/base/config': config }),
        enableWebsocketResume: false };
    const connection: any = new JitsiMeetJS.JitsiConnection(options.appId, token ?? null, options);
    const { CONNECTION_DISCONNECTED, CONNECTION_ESTABLISHED, CONNECTION_FAILED } = JitsiConnectionEvents;
    let timer: ReturnType<typeof setTimeout> | undefined;

    // A refusal is followed by the loss of the connection: the first event counts.
    const outcome = await new Promise<IOutcome>(resolve => {
        const end = (problem?: Problem) => resolve({
            open: problem === 'unreachable' && !isAuthenticating(connection),
            problem
        });

        signal?.addEventListener('abort', () => end('unreachable'));
        timer = setTimeout(() => {
            if (isAuthenticating(connection)) {
                timer = setTimeout(() => end('undecided'), PATIENCE_WITH_LOGIN);
            } else {
                end('unreachable');
            }
        }, patience);

        connection.addEventListener(CONNECTION_ESTABLISHED, () =>
            end(isOfDomain(connection.getJid(), domain) ? undefined : 'unsupported'));
        connection.addEventListener(CONNECTION_DISCONNECTED, () => end('unreachable'));
        connection.addEventListener(CONNECTION_FAILED, (name: string, message?: string) =>
            end(toProblem(connection, name, message)));

        // Without the name of a room: no conference is asked for.
        connection.connect({ id,
            password });
    });

    clearTimeout(timer);
    await disconnectForGood(connection);

    return outcome;
}

/**
 * Returns whether an XMPP address is of a domain.
 *
 * @param {string} jid - The address.
 * @param {string} domain - The domain.
 * @returns {boolean}
 */
export function isOfDomain(jid: string | undefined, domain: string): boolean {
    const [ bare ] = (jid ?? '').split('/');

    return bare.slice(bare.lastIndexOf('@') + 1).toLowerCase() === domain.toLowerCase();
}
