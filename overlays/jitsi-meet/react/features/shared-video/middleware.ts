/*
 * hardener: the client ignores the command with which a participant shares a video.
 */
export {};
