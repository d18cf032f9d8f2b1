import { IReduxState } from '../app/types';
import { IJitsiConference } from '../base/conference/reducer';
import { ParticipantFeaturesKey } from '../base/participants/types';

/*
 * hardener: no 8x8 service (JaaS). Upstream takes the first part of a path for a tenant of it, so that a link decides whether
 * its servers are asked for tokens, customer ids and tenant details. The interface is upstream's.
 */

/**
 * There is no tenant.
 *
 * @param {IReduxState} _state - The global state.
 * @returns {string}
 */
export function getVpaasTenant(_state: IReduxState) {
    return '';
}

/**
 * No meeting is one of JaaS.
 *
 * @param {IReduxState} _state - The state of the app.
 * @returns {boolean}
 */
export function isVpaasMeeting(_state: IReduxState) {
    return false;
}

/**
 * There is no customer id.
 *
 * @param {IJitsiConference} _conference - The conference state.
 * @param {IReduxState} _state - The state of the app.
 * @returns {Promise}
 */
export function sendGetCustomerIdRequest(_conference: IJitsiConference, _state: IReduxState): Promise<any> {
    return Promise.resolve();
}

/**
 * There are no details.
 *
 * @param {Object} _reqData - The request info.
 * @returns {Promise} Rejects always.
 */
export function sendGetDetailsRequest(_reqData: { appId: string; baseUrl: string; }): Promise<any> {
    return Promise.reject(new Error('JaaS is not part of this build.'));
}

/**
 * No feature is disabled by JaaS.
 *
 * @param {IReduxState} _state - The state of the app.
 * @param {ParticipantFeaturesKey} _feature - Feature to be looked up for disable state.
 * @returns {boolean}
 */
export function isFeatureDisabled(_state: IReduxState, _feature: ParticipantFeaturesKey) {
    return false;
}

/**
 * There is no token.
 *
 * @param {Object} _reqData - The request info.
 * @returns {Promise} Rejects always.
 */
export function sendGetJWTRequest(_reqData: { appId: string; baseUrl: string; }): Promise<any> {
    return Promise.reject(new Error('JaaS is not part of this build.'));
}

/**
 * There is no token.
 *
 * @param {IReduxState} _state - Redux state.
 * @returns {Promise}
 */
export function getJaasJWT(_state: IReduxState): Promise<string | undefined> {
    return Promise.resolve(undefined);
}
