import { IStore } from '../app/types';
import { LOGOUT, UPGRADE_ROLE_FINISHED } from '../authentication/actionTypes';
import {
    AUTH_STATUS_CHANGED,
    CONFERENCE_JOINED,
    CONFERENCE_WILL_JOIN,
    CONFERENCE_WILL_LEAVE
} from '../base/conference/actionTypes';
import { authStatusChanged } from '../base/conference/actions.any';
import { CONFIG_WILL_LOAD, OVERWRITE_CONFIG, SET_CONFIG, UPDATE_CONFIG } from '../base/config/actionTypes';
import { CONNECTION_DISCONNECTED, CONNECTION_ESTABLISHED, CONNECTION_FAILED } from '../base/connection/actionTypes';
import { SET_JWT } from '../base/jwt/actionTypes';
import { JitsiConnectionErrors } from '../base/lib-jitsi-meet';
import MiddlewareRegistry from '../base/redux/MiddlewareRegistry';

import { askAndLogOut, endSession, keepOwnConnection } from './actions';
import { forget, getLogin, getLoginMode } from './functions';

/** Whether the meeting was left without a return: neither to reconnect, nor for a breakout room. */
let leaving = false;

// A page that comes back with "Back" or "Forward" as it was left has the login of who left it in memory.
window.addEventListener('pageshow', event => event.persisted && window.location.reload());

/*
 * Registered before all others (app/middlewares.web), so that nobody sees what is taken out here.
 */
MiddlewareRegistry.register((store: IStore) => next => action => {
    switch (action.type) {
    case SET_CONFIG:
    case OVERWRITE_CONFIG:
    case UPDATE_CONFIG:
        // The way in for guests, should a server's configuration still name one.
        action.config?.hosts && delete action.config.hosts.anonymousdomain;

        // A gateway in a window of its own could not answer: its page is of another origin, and cut off (docs/login.md).
        action.config && delete action.config.tokenAuthInline;
        break;

    case SET_JWT:
        // Where people log in with an account, whoever made a link says nothing about who they are.
        if (getLoginMode(store.getState()) === 'password') {
            delete action.jwt;
            delete action.idToken;
            delete action.refreshToken;
        }
        break;

    case CONNECTION_ESTABLISHED:
        if (!store.dispatch(keepOwnConnection(action.connection))) {
            return;
        }
        break;

    case CONNECTION_FAILED:
        // Upstream keeps the password that was refused in the store.
        delete action.error?.credentials;
        if (action.error?.name === JitsiConnectionErrors.PASSWORD_REQUIRED) {
            // Neither upstream's login dialog nor its "reconnecting in ..." is shown.
            action.error.recoverable = true;
            store.dispatch(endSession()).catch(() => undefined);
        }
        break;

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

    case CONFERENCE_JOINED:
        store.dispatch(authStatusChanged(true));
        break;

    case LOGOUT:
        store.dispatch(askAndLogOut());

        return;

    case CONFERENCE_WILL_LEAVE:
        leaving = !action.isRedirect;
        break;

    case CONFERENCE_WILL_JOIN:
    case CONFIG_WILL_LOAD: // before a connection to another shard
        leaving = false;
        break;

    case CONNECTION_DISCONNECTED:
        leaving && forget();
        break;
    }

    return next(action);
});
