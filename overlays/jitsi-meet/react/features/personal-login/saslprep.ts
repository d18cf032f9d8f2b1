import {
    LEFT_TO_RIGHT,
    NOTHING,
    PROHIBITED,
    RIGHT_TO_LEFT,
    SPACES,
    UNASSIGNED
} from './stringprepTables';

/*
 * hardener: SASLprep (RFC 4013) of passwords, and what user names need of Nodeprep (RFC 6122). The server keeps what is left of a
 * password after the preparation, and SCRAM proves the knowledge of exactly that: a client that does not prepare is refused with
 * the right password. Written here because no package of upstream's lock does it, and those in npm normalise with the newest
 * Unicode; servers do it with Unicode 3.2, as the RFC says.
 */

/** Ideographs whose decomposition Unicode has corrected since (Corrigendum 4); the server has the one of Unicode 3.2. */
const UNCORRECTED: Record<string, string> = {
    '\u{2f868}': '\u{2136a}',
    '\u{2f874}': '\u{5f33}',
    '\u{2f91f}': '\u{43ab}',
    '\u{2f95f}': '\u{7aae}',
    '\u{2f9bf}': '\u{4d57}'
};

/**
 * Makes the inside of a character class of a table.
 *
 * @param {string} table - Hexadecimal code points and ranges.
 * @returns {string}
 */
function inside(table: string): string {
    return table.trim()
        .split(/\s+/)
        .map(range => range.replace(/[0-9a-f]+/g, point => `\\u{${point}}`))
        .join('');
}

const nothing = new RegExp(`[${inside(NOTHING)}]`, 'gu');
const spaces = new RegExp(`[${inside(SPACES)}]`, 'gu');
const assigned = new RegExp(`[^${inside(UNASSIGNED)}]+`, 'gu');
const uncorrected = new RegExp(`[${Object.keys(UNCORRECTED).join('')}]`, 'gu');
const prohibited = new RegExp(`[${inside(PROHIBITED)}]`, 'u');
const rightToLeft = `[${inside(RIGHT_TO_LEFT)}]`;
const anyRightToLeft = new RegExp(rightToLeft, 'u');
const rightToLeftAtBothEnds = new RegExp(`^${rightToLeft}(?:.*${rightToLeft})?$`, 'su');
const leftToRight = new RegExp(`[${inside(LEFT_TO_RIGHT)}]`, 'u');

/**
 * Normalises as Unicode 3.2 does. Code points that it does not know stay as they are: a login is a query, not something to be
 * stored (RFC 3454, 7).
 *
 * @param {string} text - The text, with everything mapped.
 * @returns {string}
 */
function normalize(text: string): string {
    return text
        .replace(uncorrected, sign => UNCORRECTED[sign])
        .replace(assigned, known => known.normalize('NFKC'));
}

/**
 * Returns whether a prepared text can be a password, or the first part of an XMPP address: it is not empty, holds nothing that is
 * prohibited, and does not mix directions of writing (RFC 3454, 6).
 *
 * @param {string} text - The text.
 * @returns {boolean}
 */
export function isAllowed(text: string): boolean {
    const mixed = anyRightToLeft.test(text) && (leftToRight.test(text) || !rightToLeftAtBothEnds.test(text));

    return Boolean(text) && !mixed && !prohibited.test(text);
}

/**
 * Prepares a password as the server does (RFC 4013).
 *
 * @param {string} password - What was typed.
 * @returns {string|undefined} Undefined for what cannot be a password.
 */
export function preparePassword(password: string): string | undefined {
    const prepared = normalize(password.replace(spaces, ' ').replace(nothing, ''));

    return isAllowed(prepared) ? prepared : undefined;
}

/**
 * Maps and normalises a user name. Unlike in a password, a zero-width space is nothing (RFC 6122, appendix A). Upper and lower
 * case are left to the server.
 *
 * @param {string} name - What was typed.
 * @returns {string}
 */
export function normalizeUserName(name: string): string {
    return normalize(name.replace(nothing, '').replace(spaces, ' ')).trim();
}
