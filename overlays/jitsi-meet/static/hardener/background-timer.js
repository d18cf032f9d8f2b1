/*
 * hardener: the worker of react/features/hardener/backgroundTimer.ts, whose numbers these are. Browsers slow down the
 * timers of a page in the background, but not those of its workers.
 */
const SET_TIMEOUT = 1;
const CLEAR_TIMEOUT = 2;
const TIMEOUT_TICK = 3;

let timer;

self.onmessage = ({ data }) => {
    if (data.id === SET_TIMEOUT) {
        timer = setTimeout(() => self.postMessage({ id: TIMEOUT_TICK }), data.timeMs);
    } else if (data.id === CLEAR_TIMEOUT) {
        clearTimeout(timer);
    }
};
