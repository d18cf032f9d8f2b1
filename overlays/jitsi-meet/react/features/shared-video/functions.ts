import { IStateful } from '../base/app/types';
import { IJitsiConference } from '../base/conference/reducer';

import { PLAYBACK_START, PLAYBACK_STATUSES } from './constants';

/*
 * hardener: no shared video. Upstream lets any participant make everybody's browser load YouTube or, after a question, any
 * other host. The interface is upstream's.
 */

/**
 * Checks if the status is one that is actually sharing the video - playing, pause or start.
 *
 * @param {string} status - The shared video status.
 * @returns {boolean}
 */
export function isSharingStatus(status: string) {
    return [ PLAYBACK_STATUSES.PLAYING, PLAYBACK_STATUSES.PAUSED, PLAYBACK_START ].includes(status);
}

/**
 * There is never a video being shared.
 *
 * @param {Object | Function} _stateful - The Redux state or a function that gets resolved to the Redux state.
 * @returns {boolean}
 */
export function isVideoPlaying(_stateful: IStateful): boolean {
    return false;
}

/**
 * No input names a video.
 *
 * @param {string} _input - The user input.
 * @returns {undefined}
 */
export function extractYoutubeIdOrURL(_input: string): string | undefined {
    return undefined;
}

/**
 * Shared video is never enabled.
 *
 * @param {IStateful} _stateful - The redux store or {@code getState} function.
 * @returns {boolean}
 */
export function isSharedVideoEnabled(_stateful: IStateful) {
    return false;
}

/**
 * No address may be shared.
 *
 * @param {string} _url - The URL.
 * @param {Array<string>} _allowedUrlDomains - The allowed url domains.
 * @param {boolean} _considerNonURLsAllowedForYoututbe - As in upstream's.
 * @returns {boolean}
 */
export function isURLAllowedForSharedVideo(_url: string,
        _allowedUrlDomains: Array<string> = [], _considerNonURLsAllowedForYoututbe = false) {
    return false;
}

/**
 * Sends nothing.
 *
 * @param {Object} _command - The command.
 * @returns {void}
 */
export function sendShareVideoCommand(_command: {
    conference?: IJitsiConference; id: string; localParticipantId?: string; muted?: boolean;
    status: string; time: number; volume?: number;
}) {
    // There is no video to announce.
}
