import { IReduxState } from '../app/types';
import { constructOptions } from '../base/connection/actions.any';
import JitsiMeetJS, { JitsiConnectionErrors, JitsiConnectionEvents } from '../base/lib-jitsi-meet';

import { fetchWithin } from './functions';

/**
 * Why the server has not let somebody in. 'refused': name, password or token are wrong. 'unreachable': no answer, or one that
 * says nothing about the login. 'unsupported': the server has no personal login of this kind. 'passwordNotAllowed',
 * 'userNotAllowed': no server has such a password or account, so that none was asked. 'blocked': the server answers requests of the
 * page, but something on the way lets no connection through.
 */
export type Problem = 'blocked' | 'passwordNotAllowed' | 'refused' | 'unreachable' | 'unsupported' | 'userNotAllowed';

/** What to log in with: an account, or a token. */
interface ICredentials {
    domain: string;
    id?: string;
    password?: string;
    token?: string;
}

/** A connection that is being tried. */
interface IAttempt {
    close: () => void;

    /** Whether the password or the token is on its way. */
    isAuthenticating: () => boolean;
}

/** Milliseconds until a server that says nothing counts as unreachable. Upstream waits for 67 seconds. */
const PATIENCE = 12000;

/** Milliseconds until a connection that has not come to the login is given up, where there is another way. */
const PATIENCE_UNTIL_LOGIN = 6000;

/** Milliseconds until a connection that has come to the login and no further is given up, where there is another way. */
const PATIENCE_WITH_LOGIN = 10000;

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
    return !refusal ? 'unsupported' : NOT_LOOKED_AT.test(refusal) ? 'unreachable' : 'refused';
}

/**
 * Disconnects, and takes the password out of what is left: until upstream's 341009ce, the window holds each connection for as long
 * as the page is open. The rest of it goes by login-no-password-kept-in-the-connection.patch.
 *
 * @param {Object} connection - The connection.
 * @returns {void}
 */
export function disconnectForGood(connection: any) {
    Promise.resolve(connection.disconnect())
        .then(() => {
            // A function of the library that has the arguments of connect(), and is called with a change that will not come.
            connection.xmpp.connection._stropheConn.connect_callback = undefined;
        })
        .catch(() => undefined);
}

/**
 * Tries to log in on a connection of its own, which joins nothing.
 *
 * @param {Object} state - The redux state.
 * @param {boolean} preferBosh - Whether to connect with BOSH.
 * @param {Object} credentials - What to log in with.
 * @param {Function} settle - Called once, with nothing or with a Problem, and with whether that is the server's own answer.
 * @returns {Object}
 */
function attempt(
        state: IReduxState,
        preferBosh: boolean,
        { domain, id, password, token }: ICredentials,
        settle: (problem?: Problem, answered?: boolean) => void): IAttempt {
    const config = { ...state['features/base/config'],
        preferBosh };
    const options = { ...constructOptions({ ...state,
        'features/base/config': config }),
        enableWebsocketResume: false };
    const connection = new JitsiMeetJS.JitsiConnection(options.appId, token ?? null, options);
    const { CONNECTION_DISCONNECTED, CONNECTION_ESTABLISHED, CONNECTION_FAILED } = JitsiConnectionEvents;
    let open = true;

    const close = () => {
        open = false;
        disconnectForGood(connection);
    };

    // A refusal is followed by the loss of the connection: the first event counts.
    const end = (problem?: Problem, answered?: boolean) => {
        if (open) {
            close();
            settle(problem, answered);
        }
    };

    connection.addEventListener(CONNECTION_ESTABLISHED, () =>
        end(isOfDomain(connection.getJid(), domain) ? undefined : 'unsupported'));
    connection.addEventListener(CONNECTION_DISCONNECTED, () => end('unreachable'));
    connection.addEventListener(CONNECTION_FAILED, (name: string, message?: string) =>
        end(toProblem(connection, name, message), name === JitsiConnectionErrors.PASSWORD_REQUIRED));

    // Without the name of a room: no conference is asked for.
    connection.connect({ id,
        password });

    return {
        close,
        isAuthenticating: () => Boolean(connection.xmpp.connection._stropheConn._sasl_mechanism)
    };
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
 * store, and no room is joined: the connection of the meeting starts the meeting as soon as it stands. Where WebSocket or BOSH
 * does not come about or stands still, the other one is tried, after the first one was closed: the password is never on two
 * connections, and a wrong one does not count double.
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
        const { answered, problem } = await tryWay(state, way, credentials, way === ways[ways.length - 1], signal);

        if (!problem) {
            return way;
        }
        if (answered || problem !== 'unreachable' || signal?.aborted) {
            throw problem;
        }
    }

    throw await explain(websocket || bosh);
}

/**
 * Tries one way, for as long as there is hope.
 *
 * @param {Object} state - The redux state.
 * @param {boolean} preferBosh - Whether to connect with BOSH.
 * @param {Object} credentials - What to log in with.
 * @param {boolean} last - Whether there is no other way.
 * @param {AbortSignal} signal - Ends it early.
 * @returns {Promise<Object>} The Problem, if there was one, and whether it is the server's own answer.
 */
function tryWay(
        state: IReduxState,
        preferBosh: boolean,
        credentials: ICredentials,
        last: boolean,
        signal?: AbortSignal) {
    return new Promise<{ answered?: boolean; problem?: Problem; }>(resolve => {
        const timers: Array<ReturnType<typeof setTimeout>> = [];
        const settle = (problem?: Problem, answered?: boolean) => {
            timers.forEach(clearTimeout);
            signal?.removeEventListener('abort', giveUp);
            resolve({ answered,
                problem });
        };
        const { close, isAuthenticating } = attempt(state, preferBosh, credentials, settle);

        /**
         * Ends the attempt.
         *
         * @returns {void}
         */
        function giveUp() {
            close();
            settle('unreachable');
        }

        signal?.addEventListener('abort', giveUp);
        if (last) {
            timers.push(setTimeout(giveUp, PATIENCE));
        } else {
            timers.push(
                setTimeout(() => isAuthenticating() || giveUp(), PATIENCE_UNTIL_LOGIN),
                setTimeout(giveUp, PATIENCE_WITH_LOGIN));
        }
    });
}

/**
 * Whether an XMPP address is of a domain.
 *
 * @param {string} jid - The address.
 * @param {string} domain - The domain.
 * @returns {boolean}
 */
export function isOfDomain(jid: string | undefined, domain: string): boolean {
    const [ bare ] = (jid ?? '').split('/');

    return bare.slice(bare.lastIndexOf('@') + 1).toLowerCase() === domain.toLowerCase();
}
