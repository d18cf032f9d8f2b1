/*
 * hardener: nothing is sent to rtcstats.
 */
export {};
