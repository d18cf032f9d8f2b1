/**
 * hardener: upstream's plugin keeps every byte that goes over the XMPP stream, from the first to the last: with SASL
 * PLAIN the password itself, and every chat message. 'Save logs' and getLogs() hand it all out. No plugin is installed.
 *
 * @returns {void}
 */
export default function(): void {
    // Nothing is logged.
}
