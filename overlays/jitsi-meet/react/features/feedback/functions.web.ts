import { IReduxState } from '../app/types';

/*
 * hardener: feedback is for the own server, not for 8x8's.
 */

/**
 * Sends nothing.
 *
 * @param {string|undefined} _url - The JaaS metadata endpoint URL.
 * @param {Object} _feedbackData - The feedback data object.
 * @returns {Promise}
 */
export function sendFeedbackToJaaSRequest(_url: string | undefined, _feedbackData: {
    jwt?: string; meetingFqn: string; message?: string; score?: number;
    sessionId: string; tenant?: string; userId?: string;
}): Promise<void> {
    return Promise.resolve();
}

/**
 * No feedback goes to JaaS.
 *
 * @param {IReduxState} _state - The redux state.
 * @returns {boolean}
 */
export function shouldSendJaaSFeedbackMetadata(_state: IReduxState) {
    return false;
}
