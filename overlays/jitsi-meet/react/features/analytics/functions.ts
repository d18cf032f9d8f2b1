import { IStore } from '../app/types';
import { analytics } from '../base/lib-jitsi-meet';

/*
 * hardener: analytics end here. The interface is upstream's, so that its some hundred callers stay as they are; no
 * handler is ever made, no script is ever loaded, no event is ever kept.
 */

/**
 * Does nothing with an analytics event.
 *
 * @param {Object} _event - The event.
 * @returns {void}
 */
export function sendAnalytics(_event: Object) {
    // Dropped on purpose.
}

/**
 * There is no Amplitude identity.
 *
 * @returns {undefined}
 */
export function getAmplitudeIdentity(): any {
    return undefined;
}

/**
 * There is nothing to reset.
 *
 * @returns {void}
 */
export function resetAnalytics() {
    // No handler, no cache.
}

/**
 * Makes no handlers, and has lib-jitsi-meet drop what it has cached for them.
 *
 * @param {Store} _store - The redux store.
 * @returns {Promise} Resolves with no handlers.
 */
export function createHandlers(_store: IStore): Promise<Object[]> {
    analytics.dispose();

    return Promise.resolve([]);
}

/**
 * Never starts analytics.
 *
 * @param {Store} _store - The redux store.
 * @param {Array<Object>} _handlers - The handlers, of which there are none.
 * @returns {boolean} False: not started.
 */
export function initAnalytics(_store: IStore, _handlers: Object[]): boolean {
    return false;
}
