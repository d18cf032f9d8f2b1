import { jitsiLocalStorage } from '@jitsi/js-utils';

import { IStore } from '../app/types';
import { getTokenAuthUrl } from '../authentication/functions';
import { setRoom } from '../base/conference/actions';
import { updateConfig } from '../base/config/actions';
import { setLocationURL } from '../base/connection/actions.any';
import { openDialog } from '../base/dialog/actions';
import { setJWT } from '../base/jwt/actions';
import { JitsiConnectionErrors } from '../base/lib-jitsi-meet';
import { updateSettings } from '../base/settings/actions';
import { parseURIString } from '../base/util/uri';
import { isPrejoinEnabledInConfig } from '../prejoin/functions';
import LogoutDialog from '../settings/components/web/LogoutDialog';

import {
    ILogin,
    forget,
    getLogin,
    getLoginDomain,
    isUsableAtServer,
    remember,
    toLoginId,
    withoutToken
} from './functions';
import { IRecorderAccount, RECORDER_CONFIG, ROOM_PASSWORD_KEY } from './recorder';
import { setLeaving } from './rejoin';
import { preparePassword } from './saslprep';
import { isOfDomain, verify } from './verify';

/** What the login page says first after the page was loaded again. */
export type Notice = 'ended' | 'signedOut';

/** What is left for the login page when the page is loaded again. */
export interface ILeft {
    notice?: Notice;

    /** The user name, for a person who has to log in again. */
    user?: string;
}

/** Milliseconds that the server gets to end its own session at log-out. */
const LOGOUT_PATIENCE = 2000;

/**
 * Keeps a login that the server has accepted, and continues to the meeting.
 *
 * @param {Object} login - The login.
 * @param {boolean} preferBosh - Whether it took BOSH to ask the server; then all connections are made with it.
 * @returns {Function}
 */
function enter(login: ILogin, preferBosh: boolean) {
    return (dispatch: IStore['dispatch'], getState: IStore['getState']) => {
        remember(login);
        dispatch(updateConfig({ preferBosh }));

        const state = getState();

        // A proposal, which the page before the meeting shows; where there is no such page, no name is set unasked. What is
        // behind an "@" is of no concern to the others in the room.
        if (login.mode === 'password' && isPrejoinEnabledInConfig(state) && !state['features/base/settings'].displayName) {
            dispatch(updateSettings({ displayName: login.name.split('@')[0] }));
        }

        // Decides again which page to show (app/middleware).
        dispatch(setRoom(getState()['features/base/conference'].room));
    };
}

/**
 * Logs in with user name and password.
 *
 * @param {string} userName - What was typed.
 * @param {string} password - The password.
 * @returns {Function} Its promise rejects with a Problem (verify.ts).
 */
export function signInWithPassword(userName: string, password: string) {
    return async (dispatch: IStore['dispatch'], getState: IStore['getState']) => {
        const state = getState();
        const domain = getLoginDomain(state);
        const id = toLoginId(userName, state);
        const prepared = preparePassword(password);

        if (!id || !prepared) {
            throw id ? 'passwordNotAllowed' : 'userNotAllowed';
        }
        const preferBosh = await verify(state, { domain,
            id,
            password: prepared });

        dispatch(enter({ domain,
            id,
            mode: 'password',
            name: userName.trim(),
            password: prepared }, preferBosh));
    };
}

/**
 * Logs in with the token that has come with the address, or from the gateway.
 *
 * @returns {Function} Its promise rejects with 'tokenUnusable' or with a Problem (verify.ts).
 */
export function signInWithToken() {
    return async (dispatch: IStore['dispatch'], getState: IStore['getState']) => {
        const state = getState();
        const domain = getLoginDomain(state);
        const { jwt, user } = state['features/base/jwt'];

        if (!await isUsableAtServer(jwt)) {
            throw 'tokenUnusable';
        }

        const preferBosh = await verify(state, { domain,
            token: jwt });

        dispatch(enter({ domain,
            mode: 'token',
            name: user?.name || (user as any)?.email || '' }, preferBosh));
    };
}

/**
 * Logs in as recorder.
 *
 * @param {Object} account - The account.
 * @returns {Function} Its promise rejects with a Problem (verify.ts).
 */
export function signInAsRecorder({ id, password, roomPassword }: IRecorderAccount) {
    return async (dispatch: IStore['dispatch'], getState: IStore['getState']) => {
        const domain = id.slice(id.lastIndexOf('@') + 1);
        const prepared = preparePassword(password);

        if (!prepared) {
            throw 'passwordNotAllowed';
        }
        const preferBosh = await verify(getState(), { domain,
            id,
            password: prepared });

        roomPassword && jitsiLocalStorage.setItem(ROOM_PASSWORD_KEY, roomPassword); // in memory: base/jitsi-local-storage
        dispatch(updateConfig(RECORDER_CONFIG as any));

        // A link's token does not belong to a person who logs in with an account.
        dispatch(setJWT());

        // conference.js reads the global one; so does upstream after SET_CONFIG (base/config/middleware.web).
        window.config = getState()['features/base/config'];
        dispatch(enter({ domain,
            id,
            mode: 'recorder',
            name: '',
            password: prepared }, preferBosh));
    };
}

/**
 * Leaves the page for the operator's gateway, which sends people back with a token.
 *
 * @returns {Function}
 */
export function askGateway() {
    return async (_dispatch: IStore['dispatch'], getState: IStore['getState']) => {
        const state = getState();
        const config = state['features/base/config'];
        const { locationURL = { href: '' } as URL } = state['features/base/connection'];
        const { room } = state['features/base/conference'];
        const { tenant } = parseURIString(locationURL.href) || {};
        const options = {
            audioMuted: undefined,
            audioOnlyEnabled: undefined,
            skipPrejoin: undefined,
            videoMuted: undefined
        };
        const url = await getTokenAuthUrl(config, withoutToken(locationURL), options, room ?? '', tenant);

        if (!config.tokenAuthUrl?.includes('{code_challenge}')) {
            // Upstream writes one whether the gateway asks for it or not.
            window.sessionStorage.removeItem('code_verifier');
        }
        window.location.href = url ?? '';
    };
}

/**
 * Forgets the login, and takes the token out of the address, where the next one at this computer would find it with "Back".
 *
 * @param {string} notice - What the login page says. It is in the state of the history's entry, which outlives the load, and is
 * neither in an address nor in a storage; with it the user name, unless the person has signed out.
 * @returns {Function}
 */
function forgetInAddress(notice: Notice) {
    return (_dispatch: IStore['dispatch'], getState: IStore['getState']) => {
        const state = getState();
        const login = getLogin(state);
        const left: ILeft = { notice };

        if (notice === 'ended' && login?.mode === 'password') {
            left.user = login.name;
        }
        forget();
        window.history.replaceState({ personalLogin: left }, '', withoutToken(state['features/base/connection'].locationURL));
    };
}

/**
 * Takes the token out of the address in the store, from which upstream makes that of the welcome page after a meeting, and with it
 * out of the store (base/jwt/middleware.any). Dispatched by login-no-token-after-the-meeting.patch.
 *
 * @returns {Function}
 */
export function leaveTokenBehind() {
    return (dispatch: IStore['dispatch'], getState: IStore['getState']) => {
        dispatch(setLocationURL(withoutToken(getState()['features/base/connection'].locationURL)));
    };
}

/**
 * Forgets the login, and loads the page again: it lets go of the camera and of all that is in memory, and asks for a login.
 *
 * @param {string} notice - What the login page says.
 * @returns {Function}
 */
function startAnew(notice: Notice) {
    return (dispatch: IStore['dispatch']) => {
        dispatch(forgetInAddress(notice));
        window.location.reload();
    };
}

/**
 * Ends a login that the server does not accept any more, or that is not there.
 *
 * @returns {Function} Its promise rejects always: there is no connection.
 */
export function endSession() {
    return (dispatch: IStore['dispatch']): Promise<any> => {
        dispatch(startAnew('ended'));

        return Promise.reject(JitsiConnectionErrors.PASSWORD_REQUIRED);
    };
}

/**
 * Logs out: forgets the login here, ends the session at the conference focus, and at the gateway where config.js says
 * tokenLogoutUrl.
 *
 * @returns {Function}
 */
export function logOut() {
    return async (dispatch: IStore['dispatch'], getState: IStore['getState']) => {
        const state = getState();
        const { tokenLogoutUrl } = state['features/base/config'];
        const token = getLogin(state)?.mode === 'token';
        const moderator = (state['features/base/conference'].conference as any)?.room?.xmpp?.moderator;

        setLeaving(true);
        forget();
        await Promise.race([
            new Promise<void>(resolve => moderator ? moderator.logout(resolve) : resolve()),
            new Promise<void>(resolve => setTimeout(resolve, LOGOUT_PATIENCE))
        ]);

        if (token && tokenLogoutUrl) {
            dispatch(forgetInAddress('signedOut'));
            window.location.href = tokenLogoutUrl;
        } else {
            dispatch(startAnew('signedOut'));
        }
    };
}

/**
 * Logs out; in a meeting, which ends with it, after a question.
 *
 * @returns {Function}
 */
export function askAndLogOut() {
    return (dispatch: IStore['dispatch'], getState: IStore['getState']) => {
        if (getState()['features/base/conference'].conference) {
            dispatch(openDialog('LogoutDialog', LogoutDialog, { onLogout: () => dispatch(logOut()) }));
        } else {
            dispatch(logOut());
        }
    };
}

/**
 * Checks that a connection is of the domain where the person has logged in.
 *
 * @param {Object} connection - An established connection.
 * @returns {Function} Returns whether it may be used; one that may not is closed.
 */
export function keepOwnConnection(connection: { disconnect: Function; getJid: () => string; }) {
    return (dispatch: IStore['dispatch'], getState: IStore['getState']): boolean => {
        const login = getLogin(getState());

        if (login && isOfDomain(connection.getJid(), login.domain)) {
            return true;
        }
        connection.disconnect();
        dispatch(startAnew('ended'));

        return false;
    };
}
