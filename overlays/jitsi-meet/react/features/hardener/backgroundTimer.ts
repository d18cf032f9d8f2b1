/*
 * The timer of the virtual background: messages as upstream's TimerWorker.ts has them, and the worker as a file.
 * Upstream makes the worker from a text, which needs 'worker-src blob:' in the Content-Security-Policy.
 */

/** Sent to the worker: wait for timeMs. */
export const SET_TIMEOUT = 1;

/** Sent to the worker: stop waiting. */
export const CLEAR_TIMEOUT = 2;

/** Sent by the worker: the time is over. */
export const TIMEOUT_TICK = 3;

/** Like the model of the background, the file is found from the page's base address. */
export const timerWorkerScript = 'static/hardener/background-timer.js';
