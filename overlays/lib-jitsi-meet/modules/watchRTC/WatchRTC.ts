/*
 * hardener: upstream's handler loads the watchRTC SDK of testRTC, which wraps getUserMedia and RTCPeerConnection and
 * sends what it sees to the owner of the API key in the page's address. The interface stays, the SDK is gone.
 */
class WatchRTCHandler {
    /**
     * Does not initialize watchRTC.
     *
     * @param {Object} _options - Init options.
     * @returns {void}
     */
    init(_options: any): void {
        // No SDK to initialize.
    }

    /**
     * Does not begin a watchRTC session.
     *
     * @param {string} _roomName - The room name.
     * @param {string} _userName - The user name.
     * @returns {void}
     */
    start(_roomName: string, _userName: string): void {
        // No session to begin.
    }
}

export default new WatchRTCHandler();
