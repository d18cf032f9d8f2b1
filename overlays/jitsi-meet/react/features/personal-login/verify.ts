import { IReduxState } from '../app/types';
import { constructOptions } from '../base/connection/actions.any';
import JitsiMeetJS, { JitsiConnectionErrors, JitsiConnectionEvents } from '../base/lib-jitsi-meet';

/**
 * Why the server has not let somebody in. 'refused': name, password or token are wrong. 'unreachable': no answer, or one that
 * says nothing about the login. 'unsupported': the server has no personal login of this kind. 'passwordNotAllowed',
 * 'userNotAllowed': no server has such a password or account, so that none was asked.
 */
export type Problem = 'passwordNotAllowed' | 'refused' | 'unreachable' | 'unsupported' | 'userNotAllowed';

/** What to log in with: an account, or a token. */
interface ICredentials {
    domain: string;
    id?: string;
    password?: string;
    token?: string;
}

/** Milliseconds until a server that says nothing counts as unreachable. Upstream waits for 67 seconds. */
const PATIENCE = 12000;

/** What a server says that could not look at the password (RFC 6120, 6.5): its directory is down, for example. */
const NOT_LOOKED_AT = /<(aborted|encryption-required|temporary-auth-failure)\b/;

/** What a server says that has no login for this domain, or none that we know. */
const NO_LOGIN = /host-unknown|no-auth-mech/;

/**
 * Asks the server whether it accepts a login, on a connection of its own that is closed at once. Nothing of it reaches the
 * store, and no room is joined: the connection of the meeting starts the meeting as soon as it stands.
 *
 * @param {Object} state - The redux state.
 * @param {Object} credentials - What to log in with.
 * @returns {Promise<void>} Rejects with a Problem.
 */
export function verify(state: IReduxState, { domain, id, password, token }: ICredentials): Promise<void> {
    const options = { ...constructOptions(state),
        enableWebsocketResume: false };

    return new Promise<void>((resolve, reject: (problem: Problem) => void) => {
        const connection = new JitsiMeetJS.JitsiConnection(options.appId, token ?? null, options);
        const { CONNECTION_DISCONNECTED, CONNECTION_ESTABLISHED, CONNECTION_FAILED } = JitsiConnectionEvents;
        let open = true;

        const settle = (problem?: Problem) => {
            // A refusal is followed by the loss of the connection: the first event counts.
            if (open) {
                open = false;
                clearTimeout(timer);
                Promise.resolve(connection.disconnect()).catch(() => undefined);
                problem ? reject(problem) : resolve();
            }
        };
        const timer = setTimeout(() => settle('unreachable'), PATIENCE);

        connection.addEventListener(CONNECTION_ESTABLISHED, () =>
            settle(isOfDomain(connection.getJid(), domain) ? undefined : 'unsupported'));
        connection.addEventListener(CONNECTION_DISCONNECTED, () => settle('unreachable'));
        connection.addEventListener(CONNECTION_FAILED, (name: string, message?: string) => {
            if (name !== JitsiConnectionErrors.PASSWORD_REQUIRED) {
                return settle(NO_LOGIN.test(message ?? '') ? 'unsupported' : 'unreachable');
            }

            const refusal = connection.xmpp.connection.getLastFailedMessage() ?? '';

            if (!refusal) {
                // Nobody has refused anything: there was no way to log in.
                return settle('unsupported');
            }

            settle(NOT_LOOKED_AT.test(refusal) ? 'unreachable' : 'refused');
        });

        // Without the name of a room: no conference is asked for.
        connection.connect({ id,
            password });
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
