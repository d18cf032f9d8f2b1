export interface IPreCallResult {

    // Maximum bandwidth reached in kbps  (kilo bits per second).
    fractionalLoss: number;

    // Round trip time in milliseconds.
    jitter: number;

    // Variation in packet arrival times during the transmission of media.
    mediaConnectivity: boolean;

    // Packet loss percentage over all the test traffic.
    rtt: number;
    throughput: number; // Whether the data channel was able to send data or not.
}

// Same interface as a PeerConnection configuration object.
export interface IIceServer {
    credential?: string;
    urls: Array<string> | string;
    username?: string;
}

/**
 * hardener: upstream's test opens peer connections to whatever ICE servers its caller names, before a person has
 * consented to join. The interface stays, the test is gone.
 *
 * @param {Array<IIceServer>} _iceServers - The ICE servers that are not contacted.
 * @returns {Promise<IPreCallResult | any>} - A Promise that rejects.
 */
export default async function runPreCallTest(_iceServers: Array<IIceServer>): Promise<IPreCallResult | string> {
    throw new Error('The pre-call test is not part of this build');
}
