/** Stands in for @minimeet/crash-reporter: errors stay in the browser's console. */
export function installCrashReporter() { /* on purpose */ }
