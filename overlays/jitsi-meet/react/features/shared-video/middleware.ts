/*
 * hardener: nobody listens to the command with which a participant shares a video.
 */
export {};
