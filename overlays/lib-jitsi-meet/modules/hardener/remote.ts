/*
 * What another participant sends to describe a connection becomes an SDP, line by line, and the browser acts on it.
 * Called by privacy-no-host-names-as-candidates.patch and privacy-no-line-breaks-in-jingle.patch.
 */

const CANDIDATE = /^(?:a=)?candidate:/i;

/**
 * A candidate whose address is an IPv4 or IPv6 address, or one of the random names behind which browsers hide local
 * addresses (draft-ietf-mmusic-mdns-ice-candidates, 3.1.1), which are asked for only in the local network. Single blanks,
 * so that no browser can count the fields another way.
 */
const WITHOUT_NAME = new RegExp('^(?:a=)?candidate:\\S+ \\d+ \\S+ \\d+ '
    + '(?:(?:\\d{1,3}\\.){3}\\d{1,3}|[\\da-f:.]*:[\\da-f:.]*|[\\da-f]{8}(?:-[\\da-f]{4}){3}-[\\da-f]{12}\\.local)'
    + ' \\d+ typ ', 'i');

/**
 * Returns an SDP, or a single candidate, without the candidates for which the browser would ask the DNS.
 *
 * @param {string} sdp - The lines.
 * @returns {string} - The lines that are left.
 */
export function withoutHostNames(sdp: string): string {
    return sdp.split(/\r\n|\r|\n/)
        .filter(line => !CANDIDATE.test(line) || WITHOUT_NAME.test(line))
        .join('\r\n');
}

/**
 * Puts blanks in the place of line breaks in all attributes of a stanza, so that a value stays a part of its line.
 *
 * @param {Element} stanza - The stanza, which is changed.
 * @returns {void}
 */
export function joinLines(stanza: Element): void {
    for (const element of [ stanza, ...Array.from(stanza.querySelectorAll('*')) ]) {
        for (const attribute of Array.from(element.attributes)) {
            if (/[\r\n]/.test(attribute.value)) {
                attribute.value = attribute.value.replace(/[\r\n]+/g, ' ');
            }
        }
    }
}
