/*
 * Takes secrets out of what is logged. The same file is in jitsi-meet (react/features/hardener/redact.ts): each component has a
 * logger of its own, which logger.ts beside this file wraps.
 */

const REDACTED = '[redacted]';

/** How deep objects are copied. */
const DEPTH = 5;

/** What something is called that must not be in a log. */
const SECRET = 'jwt|token|passw(?:or)?d|passcode|\\bpass\\b|pwd|secret|credential|verifier|localStorageContent|session[_-]?id';
const SECRET_NAME = new RegExp(SECRET, 'i');

// Repetitions are bounded where a match can begin at each place of a text: participants choose what is in it, and how long it is.

/** A name of that kind and the value behind it: in a query, in JSON, in JSON within a query, in XML, in a header. */
const NAMED = new RegExp(`((?:${SECRET})\\w{0,32}(?:\\\\{0,8}["']|%22)?\\s*(?:=>|[=:>]|%3[AD])\\s*|\\bbearer\\s+)`
    + '(\\\\*"(?:[^"\\\\]|\\\\(?!")[^"])*|\'[^\']*|[^\\s&,;)}\\]"\'<>]+)', 'gi');

/** An address, and the part of it that holds parameters; the line and column behind it in a stack stay. */
const ADDRESS = /((?:\b[a-z][a-z\d+.-]{0,19}:)?\/\/)([^\s"'<>`/?#]*@)?([^\s"'<>`?#]*)([?#][^\s"'<>`]*?)?((?::\d+){1,2}\)?)?(?=[\s"'<>`]|$)/gi;

/** A JSON Web Token, or the beginning of one. */
const TOKEN = /eyJ[\w-]{4,}(?:\.[\w-]*){0,2}/g;

/** Parameters of an address by which a gateway sends people back, beside those above. */
const GATEWAYS = /^(?:code|state)$/;

/**
 * The secrets that the page's own address holds: whatever form a text has, they must not be in it.
 *
 * @returns {string[]}
 */
function secretsOfTheAddress(): string[] {
    const found = new Set<string>();
    const { hash = '', search = '' } = globalThis.location ?? {};

    for (const part of [ search, hash ].flatMap(parameters => parameters.slice(1).split('&'))) {
        const name = part.split('=')[0];
        const value = part.slice(name.length + 1);

        if (SECRET_NAME.test(name) || GATEWAYS.test(name)) {
            let decoded = value;

            try {
                decoded = decodeURIComponent(value);
            } catch {
                // As it stands.
            }

            // Values within JSON, whether it is complete or not.
            const within = Array.from(decoded.matchAll(/:\s*"([^"]*)/g), match => match[1]);

            [ value, decoded, decoded.replace(/^"|"$/g, ''), ...within ]
                .filter(secret => secret.length > 3 && secret !== 'undefined')
                .forEach(secret => found.add(secret));
        }
    }

    return Array.from(found).sort((a, b) => b.length - a.length);
}

const KNOWN = secretsOfTheAddress();

/**
 * A text without secrets: neither what the page's address holds, nor parameters of addresses, nor tokens, nor what is named as a
 * secret.
 *
 * @param {string} text - The text.
 * @returns {string}
 */
export function redactedText(text: string): string {
    return KNOWN.reduce((rest, secret) => rest.split(secret).join(REDACTED), text)
        .replace(ADDRESS, (_all, scheme, _user, path, parameters, line = '') =>
            `${scheme}${path}${parameters ? '?...' : ''}${line}`)
        .replace(TOKEN, REDACTED)
        .replace(NAMED, `$1${REDACTED}`);
}

/**
 * What can be logged of a value: texts without secrets, copies of plain objects and errors, the names of all others.
 *
 * @param {any} value - The value.
 * @param {number} depth - How deep it may be copied.
 * @returns {any}
 */
export function redacted(value: any, depth = DEPTH): any {
    if (typeof value === 'string') {
        return redactedText(value);
    }
    if (typeof value === 'function') {
        return `[function ${value.name}]`;
    }
    if (typeof value !== 'object' || value === null) {
        return value;
    }
    if (value instanceof Error) {
        const copy = new Error(redactedText(String(value.message)));

        copy.name = value.name;
        copy.stack = redactedText(String(value.stack));

        return copy;
    }
    if (depth === 0) {
        return '...';
    }
    if (Array.isArray(value)) {
        return value.map(item => redacted(item, depth - 1));
    }
    if (value instanceof Set) {
        return redacted(Array.from(value), depth);
    }
    if (value instanceof Map) {
        return redacted(Object.fromEntries(value), depth);
    }

    const prototype = Object.getPrototypeOf(value);

    if (prototype === null || prototype === Object.prototype) {
        return Object.fromEntries(Object.entries(value).map(([ key, item ]) =>
            [ redactedText(key), SECRET_NAME.test(key) ? REDACTED : redacted(item, depth - 1) ]));
    }

    // Tracks, addresses and others say what they are; elements and events say that they are some.
    return redactedText(String(value));
}
