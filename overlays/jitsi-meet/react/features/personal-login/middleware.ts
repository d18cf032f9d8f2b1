import { IStore } from '../app/types';
import { LOGOUT, UPGRADE_ROLE_FINISHED } from '../authentication/actionTypes';
import {
    AUTH_STATUS_CHANGED,
    CONFERENCE_FAILED,
    CONFERENCE_JOINED,
    CONFERENCE_WILL_INIT,
    CONFERENCE_WILL_JOIN,
    CONFERENCE_WILL_LEAVE
} from '../base/conference/actionTypes';
import { authStatusChanged } from '../base/conference/actions.any';
import { CONFIG_WILL_LOAD, OVERWRITE_CONFIG, SET_CONFIG, UPDATE_CONFIG } from '../base/config/actionTypes';
import {
    CONNECTION_DISCONNECTED,
    CONNECTION_ESTABLISHED,
    CONNECTION_FAILED,
    CONNECTION_TOKEN_EXPIRED,
    CONNECTION_WILL_CONNECT
} from '../base/connection/actionTypes';
import { connectionFailed } from '../base/connection/actions.any';
import { SET_JWT } from '../base/jwt/actionTypes';
import { JitsiConnectionErrors } from '../base/lib-jitsi-meet';
import MiddlewareRegistry from '../base/redux/MiddlewareRegistry';

import { askAndLogOut, endSession, keepOwnConnection } from './actions';
import { forget, getLogin, getLoginMode } from './functions';
import { isLeaving, openMedia, rejoin, setLeaving, startWaiting, stopWaiting } from './rejoin';
import { PATIENCE_WITH_LOGIN, isAuthenticating, toProblem } from './verify';

/** Whether the meeting has failed in a way that passes; upstream then leaves it and disconnects, then reloads the page. */
let returning = false;

/** Whether upstream itself leaves the meeting, in the same task in which it has failed. Who leaves later, leaves for good. */
let failing = false;

/** Milliseconds until a connection that is neither established nor fails is given up, unless the server has the login. */
const PATIENCE_WITH_CONNECTING = 15000;

/** Milliseconds until a meeting that neither lets a person in nor says why not counts as not ready. */
const PATIENCE_WITH_JOINING = 20000;

let timer: ReturnType<typeof setTimeout> | undefined;

/**
 * Connects again, unless the server does not accept the login any more.
 *
 * @param {Object} connection - The connection that was lost.
 * @returns {Function}
 */
function connectAgain(connection: any) {
    return (dispatch: IStore['dispatch']) =>
        dispatch(rejoin(connection, () => dispatch(endSession()).catch(() => undefined)));
}

/**
 * Lets a connection fail when a time is over.
 *
 * @param {Object} store - The redux store.
 * @param {Object} connection - The connection.
 * @param {string} name - The error.
 * @param {number} patience - Milliseconds.
 * @param {number} more - Milliseconds beyond that, if the server then has the login.
 * @returns {void}
 */
function failAfter({ dispatch }: IStore, connection: any, name: string, patience: number, more = 0) {
    const fail = () => {
        connection && dispatch(connectionFailed(connection, { name }));
    };

    clearTimeout(timer);
    timer = setTimeout(() => {
        if (more && isAuthenticating(connection)) {
            timer = setTimeout(fail, more);
        } else {
            fail();
        }
    }, patience);
}

// A page that comes back with "Back" or "Forward" as it was left has the login of who left it in memory.
window.addEventListener('pageshow', event => event.persisted && window.location.reload());

/*
 * Registered before all others (app/middlewares.web), so that no other middleware sees what is removed here.
 */
MiddlewareRegistry.register((store: IStore) => next => action => {
    switch (action.type) {
    case SET_CONFIG:
    case OVERWRITE_CONFIG:
    case UPDATE_CONFIG:
        // The way in for guests, should a server's configuration still name one.
        action.config?.hosts && delete action.config.hosts.anonymousdomain;

        // A gateway in a window of its own could not answer: its page is of another origin, and cut off (docs/operator.md#login).
        action.config && delete action.config.tokenAuthInline;
        break;

    case SET_JWT:
        // Where people log in with an account, the author of a link does not decide who they are.
        if (getLoginMode(store.getState()) === 'password') {
            delete action.jwt;
            delete action.idToken;
            delete action.refreshToken;
        }
        break;

    case CONNECTION_WILL_CONNECT:
        failAfter(store, action.connection, JitsiConnectionErrors.OTHER_ERROR, PATIENCE_WITH_CONNECTING,
            PATIENCE_WITH_LOGIN);
        break;

    case CONNECTION_ESTABLISHED:
        clearTimeout(timer);
        if (isLeaving()) {
            // The person has hung up while it was being made.
            action.connection.disconnect();

            return;
        }
        if (!store.dispatch(keepOwnConnection(action.connection))) {
            return;
        }
        break;

    case CONNECTION_FAILED: {
        // Upstream keeps the password that was refused in the store.
        delete action.error?.credentials;
        const { connection, error } = action;

        clearTimeout(timer);
        if (isLeaving()) {
            forget();
            break;
        }
        if (!error) {
            break;
        }
        const passes = error.name === JitsiConnectionErrors.PASSWORD_REQUIRED
            ? toProblem(connection, error.name, error.message) === 'undecided' && startWaiting(JitsiConnectionErrors.OTHER_ERROR)
            : startWaiting(error.name);

        if (passes) {
            if (error.name === JitsiConnectionErrors.CONFERENCE_REQUEST_FAILED) {
                // Upstream offers to load the page again.
                error.name = JitsiConnectionErrors.OTHER_ERROR;
            }
            const result = next(action);

            store.dispatch(connectAgain(connection));

            return result;
        }
        if (error.name === JitsiConnectionErrors.PASSWORD_REQUIRED) {
            // Neither upstream's login dialog nor its "reconnecting in ..." is shown.
            error.recoverable = true;
            store.dispatch(endSession()).catch(() => undefined);
        }
        break;
    }

    case CONNECTION_TOKEN_EXPIRED:
        // The library does not resume the connection. Upstream offers the gateway, or nothing where there is none; here the session ends
        // with a reason, unless the token has run out by the computer's clock only.
        isLeaving() || (startWaiting(JitsiConnectionErrors.CONNECTION_DROPPED_ERROR)
            && store.dispatch(connectAgain(action.connection)));

        return;

    case UPGRADE_ROLE_FINISHED:
        delete action.error?.credentials;
        break;

    case AUTH_STATUS_CHANGED: {
        // Says 'logged in' in the settings, and offers to log out there, whatever the conference focus knows about it.
        const login = getLogin(store.getState());

        if (login) {
            action.authEnabled = true;
            action.authLogin = login.name || action.authLogin || login.domain;
        }
        break;
    }

    case CONFERENCE_FAILED:
        // The meeting asks for a password, for example. What the loss of the connection has caused comes without a connection.
        clearTimeout(timer);
        if (store.getState()['features/base/connection'].connection) {
            stopWaiting();
            returning = failing = !isLeaving() && startWaiting(action.error?.name);
            queueMicrotask(() => {
                failing = false;
            });
        }
        break;

    case CONFERENCE_JOINED:
        clearTimeout(timer);
        stopWaiting();
        store.dispatch(authStatusChanged(true));
        break;

    case LOGOUT:
        store.dispatch(askAndLogOut());

        return;

    case CONFERENCE_WILL_LEAVE:
        setLeaving(!action.isRedirect && !failing);
        clearTimeout(timer);
        if (isLeaving()) {
            const { connecting, connection } = store.getState()['features/base/connection'];

            returning = false;
            connecting || connection || forget(); // there is none that will be closed
        }
        break;

    case CONFERENCE_WILL_INIT: // of a breakout room, or of one who comes back
        setLeaving(false);
        break;

    case CONFERENCE_WILL_JOIN:
        isLeaving() || failAfter(store, store.getState()['features/base/connection'].connection,
            JitsiConnectionErrors.CONFERENCE_REQUEST_FAILED, PATIENCE_WITH_JOINING);
        break;

    case CONFIG_WILL_LOAD: // before a connection to another shard
        setLeaving(false);
        break;

    case CONNECTION_DISCONNECTED:
        if (isLeaving()) {
            clearTimeout(timer);
            forget();
        }
        if (returning) {
            returning = false;
            store.dispatch(connectAgain(action.connection));
        }
        break;
    }

    const result = next(action);

    action.type === CONFERENCE_JOINED && store.dispatch(openMedia());

    return result;
});
