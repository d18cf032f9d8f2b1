import { IStateful } from '../base/app/types';

/*
 * hardener: no rtcstats: upstream sends the configuration, statistics and logs of a call to that service.
 */

/**
 * Rtcstats is never enabled.
 *
 * @param {IStateful} _stateful - The redux store or {@code getState} function.
 * @returns {boolean}
 */
export function isRTCStatsEnabled(_stateful: IStateful) {
    return false;
}

/**
 * Face landmarks are never sent.
 *
 * @param {IStateful} _stateful - The redux store or {@code getState} function.
 * @returns {boolean}
 */
export function canSendFaceLandmarksRTCStatsData(_stateful: IStateful): boolean {
    return false;
}
