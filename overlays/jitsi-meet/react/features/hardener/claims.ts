// @ts-expect-error
import jwtDecode from 'jwt-decode';

import { getLogger } from '../base/logging/functions';

import { Rule, dictionary, number, record, text, where } from './shape';

const logger = getLogger('hardener:claims');

/** As upstream reads it: true and "true" switch something on. */
const flagOrText = where(value => [ true, false, 'true', 'false' ].includes(value));

/** A feature is off where its value has a wrong type: a missing feature may be on by default. */
const feature: Rule = value => flagOrText(value) ?? false;

/** A picture may be a data: address. */
const picture = text(undefined, 100_000);

/** Services that count their users and groups write numbers. */
const name: Rule = value => text()(Number.isFinite(value) ? String(value) : value);

/**
 * Accepts an object with the known claims, and reports which of them are dropped.
 *
 * @param {string} path - What precedes their names.
 * @param {Object} rules - The rule of each known claim.
 * @returns {Function} The rule of the object.
 */
const claimsOf = (path: string, rules: Record<string, Rule>): Rule => record(Object.fromEntries(
    Object.entries(rules).map(([ key, rule ]) => [ key, (value: unknown) => {
        const kept = rule(value);

        kept === undefined && value !== null
            && logger.warn(`The token's claim ${path}${key} has a wrong type and does not count`);

        return kept;
    } ])));

/** Every claim that the client reads, and its type. */
const claims = claimsOf('', {
    context: claimsOf('context.', {
        callee: claimsOf('context.callee.', {
            avatar: picture,
            id: name,
            name
        }),

        features: dictionary(/^[a-z-]{1,64}$/, feature),
        group: name,
        server: text(),
        tenant: name,
        user: claimsOf('context.user.', {
            avatar: picture,
            avatarUrl: picture,
            email: text(),
            'hidden-from-recorder': flagOrText,
            id: name,
            name,
            role: text()
        })
    }),
    email: text(),
    exp: number,
    iss: text(),
    name,
    picture,
    sub: text()
});

/**
 * Reads a token's claims. A claim of a wrong type is dropped, and the console says which: upstream hands it on, and a name or
 * picture that is not a text ends in an empty page. The signature is for the server to check.
 *
 * @param {any} jwt - The token.
 * @returns {Object|undefined} The claims, or undefined where it is not a token.
 */
export function readClaims(jwt: unknown): any {
    try {
        return claims(jwtDecode(jwt));
    } catch {
        // The error quotes the token.
        return undefined;
    }
}
