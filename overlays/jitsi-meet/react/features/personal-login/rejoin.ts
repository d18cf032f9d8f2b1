import { IReduxState, IStore } from '../app/types';
import { conferenceWillInit } from '../base/conference/actions.any';
import { updateConfig } from '../base/config/actions';
import { connect } from '../base/connection/actions.web';
import { hasAvailableDevices } from '../base/devices/functions.web';
import { JitsiConferenceErrors, JitsiConnectionErrors } from '../base/lib-jitsi-meet';
import { gumPending } from '../base/media/actions';
import { MEDIA_TYPE, MediaType } from '../base/media/constants';
import { IGUMPendingState } from '../base/media/types';
import { createAndAddInitialAVTracks, destroyLocalTracks } from '../base/tracks/actions.web';
import { isPrejoinPageVisible } from '../prejoin/functions';

import { getLogin, isUsableAtServer } from './functions';
import { Problem, disconnectForGood, verify } from './verify';

/*
 * hardener: what happens when the connection of a meeting is lost for good, because the server was restarted or the computer slept.
 * Upstream reloads the page, which forgets the login. Here the page connects again with the login that the server has accepted, as
 * soon as the server answers, and joins the meeting again.
 */

/** Why a participant waits: there is no connection, or no focus that opens the meeting. */
export type Waiting = 'lost' | 'noFocus';

/** Milliseconds until the first attempt, and the most that lie between two. */
const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 20000;

/** Errors after which upstream would reload the page, or would do nothing. */
const REASONS: Record<string, Waiting> = {
    [JitsiConferenceErrors.FOCUS_LEFT]: 'noFocus',
    [JitsiConferenceErrors.ICE_FAILED]: 'lost',
    [JitsiConferenceErrors.OFFER_ANSWER_FAILED]: 'lost',
    [JitsiConferenceErrors.VIDEOBRIDGE_NOT_AVAILABLE]: 'noFocus',
    [JitsiConnectionErrors.CONFERENCE_REQUEST_FAILED]: 'noFocus',
    [JitsiConnectionErrors.CONNECTION_DROPPED_ERROR]: 'lost',
    [JitsiConnectionErrors.OTHER_ERROR]: 'lost',
    [JitsiConnectionErrors.SERVER_ERROR]: 'lost'
};

let _waiting: Waiting | undefined;
let _running = false;

/** The longest time until the next attempt. It grows until the meeting is joined. */
let _pause = FIRST_PAUSE;

/** Ends the pause, or the question to the server, that is under way. */
let _step = new AbortController();

/** Whether the meeting was left without a return: neither to reconnect, nor for a breakout room. */
let _leaving = false;

/** Whether camera and microphone were closed on the way back, to be opened again in the meeting. */
let _mediaClosed = false;

/**
 * Returns what a participant waits for. It is called after each action.
 *
 * @param {Object} state - The redux state.
 * @returns {string|undefined}
 */
export function getWaiting(state: IReduxState): Waiting | undefined {
    // In no network, the library keeps the connection and waits for one to resume it.
    const offline = !state['features/base/net-info'].isOnline && state['features/base/conference'].conference;

    return _waiting ?? (offline ? 'lost' : undefined);
}

/**
 * Ends the waiting: the meeting is joined, asks for something, or was left.
 *
 * @returns {void}
 */
export function stopWaiting() {
    _waiting = undefined;
    _pause = FIRST_PAUSE;
    _step.abort();
}

/**
 * Returns whether the meeting was left without a return. Then nothing of what has failed before is of interest: upstream
 * would count down to a reload of the page (login-rejoin.patch).
 *
 * @returns {boolean}
 */
export function isLeaving(): boolean {
    return _leaving;
}

/**
 * Notes that the meeting was left without a return, which ends the waiting, or that there is one again.
 *
 * @param {boolean} leaving - Whether it was left.
 * @returns {void}
 */
export function setLeaving(leaving: boolean) {
    _leaving = leaving;
    if (leaving) {
        stopWaiting();
        _mediaClosed = false;
    }
}

/**
 * Starts to wait if an error is one of those that pass.
 *
 * @param {string} error - The name of the error.
 * @returns {boolean}
 */
export function startWaiting(error: string): boolean {
    _waiting = REASONS[error] ?? _waiting;

    return error in REASONS;
}

/**
 * Waits, or until the computer is in a network again. Everybody in a meeting is thrown out in the same moment: not all come back in
 * the same.
 *
 * @param {number} milliseconds - The longest time.
 * @param {AbortSignal} signal - Ends it early.
 * @returns {Promise<void>}
 */
function pause(milliseconds: number, signal: AbortSignal) {
    return new Promise<void>(resolve => {
        const timer = setTimeout(done, milliseconds * (0.5 + (Math.random() / 2)));

        /**
         * Ends the pause.
         *
         * @returns {void}
         */
        function done() {
            clearTimeout(timer);
            window.removeEventListener('online', done);
            resolve();
        }
        window.addEventListener('online', done);
        signal.addEventListener('abort', done);
    });
}

/**
 * Returns whether microphone and camera are on. The tracks do not show it: where the focus leaves before the connection
 * breaks, upstream has removed them.
 *
 * @param {Object} state - The redux state.
 * @returns {Array<string>}
 */
function getMedia(state: IReduxState): MediaType[] {
    const { audio, video } = state['features/base/media'];
    const media: MediaType[] = [];

    if (!audio.muted && !state['features/base/config'].startSilent && hasAvailableDevices(state, 'audioInput')) {
        media.push(MEDIA_TYPE.AUDIO);
    }
    if (!video.muted && hasAvailableDevices(state, 'videoInput')) {
        media.push(MEDIA_TYPE.VIDEO);
    }

    return media;
}

/**
 * Opens camera and microphone again where they were closed on the way back: no earlier than in the meeting, and not for a
 * person who has muted them in between.
 *
 * @returns {Function}
 */
export function openMedia() {
    return (dispatch: IStore['dispatch'], getState: IStore['getState']) => {
        if (!_mediaClosed || _leaving) {
            return;
        }
        _mediaClosed = false;
        const media = getMedia(getState());

        // As upstream does it for a person who joins without tracks.
        dispatch(gumPending([ MEDIA_TYPE.AUDIO, MEDIA_TYPE.VIDEO ], IGUMPendingState.NONE));
        media.length && dispatch(createAndAddInitialAVTracks(media))
            .then(() => {
                _leaving && dispatch(destroyLocalTracks());
            });
    };
}

/**
 * Connects again with the same login, once the server accepts it.
 *
 * @param {Object} connection - The connection that was lost.
 * @param {Function} end - Ends the session: the server does not accept the login any more.
 * @returns {Function}
 */
export function rejoin(connection: { disconnect: Function; }, end: () => void) {
    return async (dispatch: IStore['dispatch'], getState: IStore['getState']) => {
        // It may be about to resume by itself, and would be in the room as a ghost.
        const closed = disconnectForGood(connection);

        if (_running) {
            return;
        }
        _running = true;
        for (;;) {
            _step = new AbortController();
            await Promise.all([ closed, pause(_pause, _step.signal) ]);
            if (!_waiting) {
                break;
            }
            _pause = Math.min(_pause * 2, LONGEST_PAUSE);

            const { jwt } = getState()['features/base/jwt'];

            // It may have run out by the computer's clock only.
            jwt && await isUsableAtServer(jwt);

            const state = getState();
            const login = getLogin(state);

            if (!_waiting) {
                break;
            }

            try {
                if (!login) {
                    throw 'refused';
                }
                const { domain, id, password } = login;

                _step = new AbortController();
                const preferBosh = await verify(state, {
                    domain,
                    id,
                    password,
                    token: login.mode === 'token' ? state['features/base/jwt'].jwt : undefined
                }, _step.signal);

                if (_waiting && !isPrejoinPageVisible(getState())) {
                    // As upstream does it on the way to another server: a track that was in one meeting sends nothing in the next.
                    _mediaClosed = true;
                    await dispatch(destroyLocalTracks());
                }

                // Who has hung up in the meantime is not taken back.
                if (_waiting) {
                    dispatch(updateConfig({ preferBosh }));
                    dispatch(conferenceWillInit());

                    // A failure comes back here by the middleware.
                    dispatch(connect()).catch(() => undefined);
                }
                break;
            } catch (problem) {
                if ((problem as Problem) === 'refused') {
                    end();
                    break;
                }
            }
        }
        _running = false;
    };
}
