import { IReduxState } from '../app/types';

/*
 * hardener: no Dropbox.
 */

/**
 * Says that there is no Dropbox.
 *
 * @returns {Promise} Rejects always.
 */
function unavailable(): Promise<any> {
    return Promise.reject(new Error('Dropbox is not part of this build.'));
}

/**
 * Does not authorize an account.
 *
 * @param {string} _appKey - The Jitsi Recorder dropbox app key.
 * @param {string} _redirectURI - The return URL.
 * @returns {Promise<Object>}
 */
export function _authorizeDropbox(_appKey: string, _redirectURI: string): Promise<any> {
    return unavailable();
}

/**
 * There is no access token.
 *
 * @param {string} _appKey - The dropbox appKey.
 * @param {string} _rToken - The refresh token.
 * @returns {Promise}
 */
export function getNewAccessToken(_appKey: string, _rToken: string) {
    return unavailable();
}

/**
 * There is no account.
 *
 * @param {string} _token - The dropbox access token.
 * @param {string} _appKey - The Jitsi Recorder dropbox app key.
 * @returns {Promise<string>}
 */
export function getDisplayName(_token: string, _appKey: string) {
    return unavailable();
}

/**
 * There is no space.
 *
 * @param {string} _token - The dropbox access token.
 * @param {string} _appKey - The Jitsi Recorder dropbox app key.
 * @returns {Promise<Object>}
 */
export function getSpaceUsage(_token: string, _appKey: string) {
    return unavailable();
}

/**
 * Dropbox is never enabled.
 *
 * @param {Object} _state - The redux state.
 * @returns {boolean}
 */
export function isEnabled(_state: IReduxState) {
    return false;
}
