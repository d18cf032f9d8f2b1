/*
 * hardener: takes the place of @jitsi/excalidraw, which is left out of the bundle. Upstream offers the whiteboard only where
 * a collaboration server is configured; a participant who opens one nevertheless gets an empty pane.
 */

/**
 * Renders an empty whiteboard.
 *
 * @returns {null} Nothing to show.
 */
export function ExcalidrawApp() {
    return null;
}

/**
 * There is no room to collaborate in.
 *
 * @returns {Promise} Rejects always: no whiteboard must be announced to the other participants.
 */
export function generateCollaborationLinkData(): Promise<{ roomId: string; roomKey: string; }> {
    return Promise.reject(new Error('The whiteboard is not part of this build.'));
}
