/*global crypto*/

import SASLSHA1 from './sasl-sha1.js';
import utils from './utils';

/** Return the bytes of a string that has one character for each byte. */
const toBytes = text => Uint8Array.from(text, character => character.charCodeAt(0));

/** Return bytes as base64. */
const toBase64 = bytes => btoa(String.fromCharCode(...bytes));

/** Return the HMAC-SHA-256 of a text as a promise. */
const hmac = (key, text) => crypto.subtle
    .importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, [ 'sign' ])
    .then(imported => crypto.subtle.sign('HMAC', imported, toBytes(text)))
    .then(signature => new Uint8Array(signature));

/** Iterations that a server may ask for: fewer help an attacker who guesses (RFC 7677, section 4), more stop the page. */
const FEWEST = 4096;
const MOST = 10000000;

export default class SASLSHA256 extends SASLSHA1 {

    /** PrivateConstructor: SASLSHA256
     *  SASL SCRAM SHA 256 authentication (RFC 7677), with the browser's own cryptography.
     */
    constructor (mechname='SCRAM-SHA-256', isClientFirst=true, priority=70) {
        super(mechname, isClientFirst, priority);
    }

    test (connection) {
        // Pages that did not come over a secure channel have no SubtleCrypto.
        return typeof crypto !== 'undefined' && Boolean(crypto.subtle) && super.test(connection);
    }

    onChallenge (connection, challenge) { // eslint-disable-line class-methods-use-this
        const data = connection._sasl_data;
        const values = {};

        challenge.split(",").forEach(part => (values[part.charAt(0)] = part.slice(2)));
        const { i, m, r, s } = values;

        // "m" announces an extension that has to be understood (RFC 5802, section 5.1).
        if (m !== undefined || !r || !r.startsWith(data.cnonce) || r === data.cnonce || !s
                || !/^[1-9]\d*$/.test(i) || Number(i) < FEWEST || Number(i) > MOST) {
            return Promise.reject(new Error("The challenge does not fit the request"));
        }

        const bare = `c=biws,r=${r}`;
        const authMessage = `${data["client-first-message-bare"]},${challenge},${bare}`;

        return crypto.subtle
            .importKey('raw', toBytes(utils.utf16to8(connection.pass)), 'PBKDF2', false, [ 'deriveBits' ])
            .then(key => crypto.subtle.deriveBits(
                { name: 'PBKDF2', hash: 'SHA-256', salt: toBytes(atob(s)), iterations: Number(i) }, key, 256))
            .then(salted => Promise.all([ hmac(salted, "Client Key"), hmac(salted, "Server Key") ]))
            .then(([ clientKey, serverKey ]) => crypto.subtle.digest('SHA-256', clientKey)
                .then(storedKey => Promise.all([ hmac(storedKey, authMessage), hmac(serverKey, authMessage) ]))
                .then(([ clientSignature, serverSignature ]) => {
                    data["server-signature"] = toBase64(serverSignature);
                    return `${bare},p=${toBase64(clientKey.map((byte, index) => byte ^ clientSignature[index]))}`;
                }));
    }
}
