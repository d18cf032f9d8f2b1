import JitsiConference from '../../JitsiConference';
import JitsiConnection from '../../JitsiConnection';
import EventEmitter from '../util/EventEmitter';

import { RTCStatsEvents } from './RTCStatsEvents';

const NO_TRANSPORT = Object.freeze({});

/**
 * hardener: upstream's class wraps getUserMedia and RTCPeerConnection and streams what it sees (the whole configuration,
 * device labels, statistics, on demand SDP and console logs) to analytics.rtcstatsEndpoint; where that is not set, it
 * opens a WebSocket to the page's own origin. The interface stays, the SDK is gone.
 */
class RTCStats {
    /**
     * Takes listeners; nothing is ever emitted.
     */
    public events: EventEmitter = new EventEmitter();

    /**
     * There never is a connection to a statistics server.
     *
     * @returns {boolean}
     */
    isTraceAvailable(): boolean {
        return false;
    }

    /**
     * Does not connect to a statistics server.
     *
     * @param {JitsiConnection} _connection - The connection.
     * @returns {void}
     */
    startWithConnection(_connection: JitsiConnection): void {
        // Nothing to start.
    }

    /**
     * Does not report a conference.
     *
     * @param {JitsiConference} _conference - The conference.
     * @returns {void}
     */
    attachToConference(_conference: JitsiConference): void {
        // Nothing to attach.
    }

    /**
     * Drops identity data.
     *
     * @param {any} _identityData - The data.
     * @returns {void}
     */
    sendIdentity(_identityData: any): void {
        // There is no receiver.
    }

    /**
     * There is nothing to reset.
     *
     * @returns {void}
     */
    reset(): void {
        // No state.
    }

    /**
     * Drops a statistics entry.
     *
     * @param {RTCStatsEvents} _statsType - The kind of entry.
     * @param {string} _pcId - The id of the peer connection.
     * @param {any} _data - The entry.
     * @returns {void}
     */
    sendStatsEntry(_statsType: RTCStatsEvents, _pcId?: Optional<string>, _data?: Optional<any>): void {
        // There is no receiver.
    }

    /**
     * Returns a log transport that takes no level at all, for callers that add it to the logger.
     *
     * @param {number} _maxEntryLength - The length at which a log would be sent.
     * @returns {Object}
     */
    getDefaultLogCollector(_maxEntryLength?: number): object {
        return NO_TRANSPORT;
    }
}

export default new RTCStats();
