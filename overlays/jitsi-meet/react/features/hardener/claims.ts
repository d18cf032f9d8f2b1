// @ts-expect-error
import jwtDecode from 'jwt-decode';

import { Rule, dictionary, number, record, text, where } from './shape';

/** As upstream reads it: true and "true" switch something on. */
const flagOrText = where(value => [ true, false, 'true', 'false' ].includes(value));

/** A feature is off where its value has a wrong type: a missing feature may be on by default. */
const feature: Rule = value => flagOrText(value) ?? false;

/** A picture may be a data: address. */
const picture = text(undefined, 100_000);

/** Every claim that the client reads, and its type. */
const claims = record({
    context: record({
        callee: record({
            avatar: picture,
            id: text(),
            name: text()
        }),

        features: dictionary(/^[a-z-]{1,64}$/, feature),
        group: text(),
        server: text(),
        tenant: text(),
        user: record({
            avatar: picture,
            avatarUrl: picture,
            email: text(),
            'hidden-from-recorder': flagOrText,
            id: text(),
            name: text(),
            role: text()
        })
    }),
    email: text(),
    exp: number,
    iss: text(),
    name: text(),
    picture,
    sub: text()
});

/**
 * Reads a token's claims. A claim of a wrong type is dropped: upstream hands it on, and a name or picture that is no text
 * ends in an empty page. The signature is for the server to check.
 *
 * @param {any} jwt - The token.
 * @returns {Object|undefined} The claims, or undefined where it is no token.
 */
export function readClaims(jwt: unknown): any {
    try {
        return claims(jwtDecode(jwt));
    } catch {
        // The error quotes the token.
        return undefined;
    }
}
