import { IReduxState } from '../app/types';

import { GIF_DEFAULT_RATING, GIF_PREFIX } from './constants';
import { IGif } from './reducer';

/*
 * hardener: no Giphy. A picture from there gives Giphy the address of each person who sees it, and any participant can send
 * one. Messages with such a picture are shown as the text that they are. The interface is upstream's.
 */

/**
 * There is no gif config.
 *
 * @param {IReduxState} _state - Redux state.
 * @returns {Object}
 */
export function getGifConfig(_state: IReduxState): { displayMode?: string; rating?: string; sdkKey?: string; } {
    return {};
}

/**
 * Get the GIF display mode.
 *
 * @param {IReduxState} _state - Redux state.
 * @returns {string}
 */
export function getGifDisplayMode(_state: IReduxState) {
    return 'all';
}

/**
 * Get the GIF audience rating.
 *
 * @param {IReduxState} _state - Redux state.
 * @returns {string}
 */
export function getGifRating(_state: IReduxState) {
    return GIF_DEFAULT_RATING;
}

/**
 * No participant shows a GIF.
 *
 * @param {IReduxState} _state - Redux state.
 * @param {string} _participantId - Id of the participant.
 * @returns {Object}
 */
export function getGifForParticipant(_state: IReduxState, _participantId: string): IGif {
    return {};
}

/**
 * No address may be rendered as a GIF.
 *
 * @param {string} _url - The URL.
 * @returns {boolean}
 */
export function isGifUrlAllowed(_url: string) {
    return false;
}

/**
 * No message is a GIF.
 *
 * @param {string} _message - Message to check.
 * @returns {boolean}
 */
export function isGifMessage(_message = '') {
    return false;
}

/**
 * Extracts the URL from a gif message.
 *
 * @param {string} message - The message.
 * @returns {string} - The URL.
 */
export function extractGifURL(message = '') {
    return message.trim().slice(GIF_PREFIX.length, -1);
}

/**
 * There is no media id.
 *
 * @param {string} _url - The gif URL.
 * @returns {string}
 */
export function extractGifMediaId(_url = '') {
    return '';
}

/**
 * There is no address.
 *
 * @param {Object} _gif - The gif data.
 * @returns {string}
 */
export function getGifUrl(_gif?: { data?: { embed_url: string; }; embed_url?: string; }) {
    return '';
}

/**
 * Formats the gif message.
 *
 * @param {string} url - GIF url.
 * @returns {string}
 */
export function formatGifUrlMessage(url: string) {
    return `${GIF_PREFIX}${url}]`;
}

/**
 * There is no key.
 *
 * @param {IReduxState} _state - Redux state.
 * @returns {string}
 */
export function getGifAPIKey(_state: IReduxState) {
    return '';
}

/**
 * GIFs are never enabled.
 *
 * @param {IReduxState} _state - Redux state.
 * @returns {boolean}
 */
export function isGifEnabled(_state: IReduxState) {
    return false;
}
