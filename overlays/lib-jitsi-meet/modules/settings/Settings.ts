import { jitsiLocalStorage } from '@jitsi/js-utils';
import { v4 as uuidv4 } from 'uuid';

import { generateUsername } from '../util/UsernameGenerator';

/**
 * hardener: upstream keeps two random ids and the focus session in localStorage for ever. One id goes to all
 * participants (presence <stats-id>), one to the server with every conference request (machine-uid) and presence
 * (billingid), so that a browser is recognised in every meeting; the session lets the next person at the browser continue
 * as the person who logged in. Here all three live as long as the page, and what an unpatched client has left goes.
 */
const LEFT_BY_UPSTREAM = [ 'billingId', 'callStatsUserName', 'jitsiMeetId', 'sessionId' ];

let _callStatsUserName: Nullable<string> = null;

let _machineId: Nullable<string> = null;

let _sessionId = '';

/**
 *
 */
export interface ISettings {
    _storage: Storage;
    readonly callStatsUserName: string;
    init: (externalStorage?: Storage) => void;
    readonly machineId: string;
    sessionId: string;
}

const Settings: ISettings = {
    /**
     * The storage that upstream's client would use; only ever cleaned here.
     */
    _storage: jitsiLocalStorage,

    /**
     * Returns a name that is sent as stats-id: random, the same until the page is left.
     *
     * @returns {string}
     */
    get callStatsUserName(): string {
        _callStatsUserName = _callStatsUserName || generateUsername();

        return _callStatsUserName;
    },

    /**
     * Removes what an unpatched client has stored.
     *
     * @param {Storage|undefined} externalStorage - Object that implements the Storage interface.
     */
    init(externalStorage?: Storage): void {
        this._storage = externalStorage || jitsiLocalStorage;
        LEFT_BY_UPSTREAM.forEach(key => this._storage.removeItem(key));
    },

    /**
     * Returns the id that is sent as machine-uid: random, the same until the page is left.
     *
     * @returns {string}
     */
    get machineId(): string {
        _machineId = _machineId || uuidv4().replaceAll('-', '');

        return _machineId;
    },

    /**
     * Returns the id of the session with the conference focus, which all conferences of this page share.
     *
     * @returns {string}
     */
    get sessionId(): string {
        return _sessionId;
    },

    /**
     * Keeps the id of the session with the conference focus until the page is left.
     *
     * @param {string} sessionId - The session id.
     */
    set sessionId(sessionId: string) {
        _sessionId = sessionId || '';
    }
};

export default Settings;
