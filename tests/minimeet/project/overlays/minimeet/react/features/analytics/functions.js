/** Features report what happens. Here nobody listens. */
export function sendEvent() { /* on purpose */ }
