/*
 * Takes secrets out of what is logged. The same file is in lib-jitsi-meet (modules/hardener/redact.ts): each component has a
 * logger of its own, which logger.ts beside this file wraps.
 */

const REDACTED = '[redacted]';

/** How deep objects are copied. */
const DEPTH = 5;

/** What something is called that must not be in a log. */
const SECRET = 'jwt|token|passw(?:or)?[dt]|passphrase|passcode|pass(?![a-z])|pwd|kennwort|secret|credential|verifier|authori[sz]ation'
    + '|cookie|assertion|localStorageContent|(?<![a-z])(?:pw|pin|t?otp)(?![a-z])|session[_-]?id'
    + '|(?:api|access|auth|client|e2ee|encryption|master|media|private|room|session|shared|signing|stream)[_-]?key';
const SECRET_NAME = new RegExp(SECRET, 'i');

// Each repetition is bounded or ends at a character that also ends the next try: participants choose what is in a text, and how
// long it is.

/** What may be written before a character that is encoded, once or more often: "%22", "%2522". */
const PERCENT = '%(?:25){0,4}';

/** A quotation mark: plain, escaped for JSON in JSON, in an address, in markup. */
const QUOTE = `(?:\\\\{0,64}["'\`]|${PERCENT}2[27]|&(?:quot|apos|#x?\\d{1,4});)`;
const QUOTES = `(?:${QUOTE}){1,2}`;
const SPACE = `(?:\\s|${PERCENT}20|\\+){0,16}`;
const EQUALS = `(?:[:=]{1,3}>?|${PERCENT}3[AD])`;
const REST_OF_NAME = '[\\w.$-]{0,32}';

/** What continues a sentence, where a value could begin as well. */
const VERB = 'are|can|cannot|could|expected|expired|fehlt|has|had|hat|invalid|ist|is|kann|lautet|may|missing|must|muss|required|should|unknown|war'
    + '|was|were|will|wurde';

/** What may be between a name and its value beside a separator. */
const GAP = '[^\\w\\n"\'`]{1,8}';

/**
 * A name of that kind, up to the value behind it: in a query, in JSON, in a header, as an attribute. A quoted one may also be a
 * member of a list, a part of a form, or the name beside a value.
 */
const NAMED = new RegExp(`(?:${SECRET})${REST_OF_NAME}(?:${QUOTES}(?:\\]|${PERCENT}5D)?${SPACE}(?:${EQUALS}|,|\\r?\\n\\r?\\n|(?=value))`
    + `|(?:\\]|${PERCENT}5D)?${SPACE}${EQUALS}(?! (?:${VERB})(?:[ .,;]|$)))${SPACE}(?:${QUOTE}?(?:value|content)${QUOTE}?${SPACE}${EQUALS}${SPACE})?`, 'gi');

/**
 * A name of that kind without a separator before the value: "password of alice is ...". Sentences are made like that as well: so the value is in
 * quotation marks, or holds what no word does, a digit for example. Parsers write of an unexpected token.
 */
const BARE = new RegExp(`(?<!unexpected )(?:${SECRET})${REST_OF_NAME}${QUOTE}?(?: (?:for|für|of|von)(?: [^\\s:=]{1,40}){1,3}?)?`
    + `${GAP}(?:(?:${VERB})${GAP})?`
    + '(?=(["\'`])[^\\s"\'`][^"\'`\\n]{2,200}\\1'
    + '|(?!\\d{1,3}(?![^\\s.,;:!?)/])|[a-z][a-z\\d+.-]{1,16}:\\/\\/|[=!<>])[^\\s"\'`]{0,64}?(?:\\d|[^\\s"\'`][#$%&*+=?@^~|][^\\s"\'`]))', 'gi');

/** The beginning of an element of that kind, or of one in which a password or its proof is sent to the server. */
const ELEMENT = new RegExp(`(?:<|&lt;)(?:[\\w.-]{0,32}:)?(?:[\\w.-]{0,32}?(?:${SECRET})${REST_OF_NAME}(?:\\s[^<>]{0,500}?)?`
    + '|(?:auth|challenge|response|success)\\s[^<>]{0,200}?xmpp-sasl[^<>]{0,200}?)(?<!/)(?:>|&gt;)', 'gi');

/** What a value of JSON can be beside a text, a list or an object. */
const LITERAL = /(?:-?\d[\d.eE+-]{0,32}|true|false|null|undefined)(?=\s{0,16}(?:[,}\]]|$))/y;
const OPENING = /(\\{0,64})(["'`])/y;
const ENCODED = new RegExp(`${PERCENT}2[27]|&(?:quot|apos|#x?\\d{1,4});`, 'iy');

/** What may be behind the mark that ends a value. One before anything else is a part of the value, such as an apostrophe. */
const BEHIND = /\\{0,64}(?:[\s,;:.!?)\]}>&"'`]|$)/y;

/** How a client authenticates in a header. */
const SCHEME = /\b(bearer\s{1,16}|(?:basic|digest|negotiate)\s{1,16}(?=[\w.~+/-]{0,16}[\d=+/._-]))[^\s"'`<>,;]+/gi;

/** What an authenticator app is set up with, and an account in the address of a telephone. */
const SEED = /\botpauth(?:-migration)?:[^\s"'`<>]*/gi;
const ACCOUNT = /\b(sips?:)[^\s:@]{1,128}:[^\s@]{1,128}@/gi;

/** A parameter that is a secret only in an address. */
const PARAMETER = /([?&#](?:auth|code|key|sid|sig|signature|state)=)[^\s&#"'`<>]+/gi;

/** An address, and the part of it that holds parameters; the line and column behind it in a stack stay. */
const ADDRESS = /((?:\b[a-z][a-z\d+.-]{0,19}:)?\/\/)([^\s"'<>`/?#]*@)?([^\s"'<>`?#]*)([?#][^\s"'<>`]*?)?((?::\d+){1,2}\)?)?(?=[\s"'<>`]|$)/gi;

/** A JSON Web Token, or the beginning of one. */
const TOKEN = /eyJ[\w-]{4,}(?:\.[\w-]*){0,4}/g;

/** Characters that are not visible in a name. */
const INVISIBLE = /[\u00ad\u200b-\u200d\u2060\ufeff]/g;

/** Characters of names and marks of JSON that are written as their number: "\u0073", "\x73", "%73", "&#115;". */
const NUMBERED = /(\\{1,64})(?:u00|x)([2-7][\da-f])|%(?:25){0,4}(3\d|4[1-9a-f]|5[\daf]|6[1-9a-f]|7[\da]|2d)|&#(?:x([2-7][\da-f])|(\d{2,3}));/gi;

/** Parameters of an address by which a gateway sends people back, beside those above. */
const GATEWAYS = /^(?:code|state)$/;

/**
 * Returns the secrets that the page's own address holds: whatever form a text has, they must not be in it.
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
                // The text stays as it is.
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
 * Returns where the first of some characters is.
 *
 * @param {string} text - The text.
 * @param {RegExp} characters - A global expression.
 * @param {number} start - Where to begin.
 * @returns {number} The length of the text where there is none.
 */
function find(text: string, characters: RegExp, start: number): number {
    characters.lastIndex = start;

    return characters.exec(text)?.index ?? text.length;
}

/**
 * Returns whether an expression matches at a place.
 *
 * @param {string} text - The text.
 * @param {RegExp} expression - A sticky expression.
 * @param {number} start - The place.
 * @returns {Array|null} The match.
 */
function matchAt(text: string, expression: RegExp, start: number) {
    expression.lastIndex = start;

    return expression.exec(text);
}

/**
 * Returns where a value ends that must not be in a log. One in quotation marks ends with them; one without them may hold
 * anything, and ends with the line.
 *
 * @param {string} text - The text.
 * @param {number} start - Where the value begins.
 * @param {string} name - What is before it.
 * @returns {number}
 */
function endOfValue(text: string, start: number, name: string): number {
    const opening = matchAt(text, OPENING, start);

    if (opening) {
        const [ all, { length: level }, quote ] = opening;
        let end = start + all.length - 1;

        for (;;) {
            const from = end + 1;

            end = text.indexOf(quote, from);
            const line = quote === '`' ? -1 : text.slice(from, end < 0 ? text.length : end).indexOf('\n');

            // A mark on another line ends another value.
            if (line >= 0) {
                return from + line;
            }
            if (end < 0) {
                return text.length;
            }
            let escapes = 0;

            while (text[end - escapes - 1] === '\\') {
                escapes++;
            }

            // JSON within JSON: a mark of the text has more backslashes than the one that ends it.
            if (escapes % (2 * (level + 1)) === level && !text.startsWith(all, end + 1) && matchAt(text, BEHIND, end + 1)) {
                return end - level;
            }
        }
    }
    if (matchAt(text, ENCODED, start)?.[0].startsWith('&')) {
        return find(text, /[<>"'\n]/g, start);
    }
    if (/%(?:25)*(?:2[27]|3[AD])/i.test(name)) {
        return find(text, /[\s"'`<>]/g, start);
    }

    return matchAt(text, LITERAL, start) ? LITERAL.lastIndex : find(text, /\n/g, start);
}

/**
 * Writes characters as themselves that are written as their number, so that names can be read. What ends a text of JSON stays escaped, and
 * of markup and addresses only letters, digits, dashes and underscores are changed.
 *
 * @param {string} text - The text.
 * @returns {string}
 */
function plain(text: string): string {
    return text.replace(INVISIBLE, '').replace(NUMBERED, (all, escapes, json, percent, hex, decimal) => {
        const character = String.fromCharCode(decimal ? Number(decimal) : parseInt(json ?? percent ?? hex, 16));

        if (escapes) {
            return /["'`\\]/.test(character) ? `${'\\'.repeat((2 * escapes.length) - 1)}${character}` : character;
        }

        return /[\w-]/.test(character) ? character : all;
    });
}

/**
 * Returns a text without what is behind each match of an expression.
 *
 * @param {string} text - The text.
 * @param {RegExp} expression - A global expression.
 * @param {Function} endOf - Returns where it ends.
 * @returns {string}
 */
function withoutValues(text: string, expression: RegExp, endOf: (text: string, start: number, name: string) => number): string {
    let result = '';
    let done = 0;

    expression.lastIndex = 0;
    for (let match = expression.exec(text); match; match = expression.exec(text)) {
        const start = expression.lastIndex;
        const end = endOf(text, start, match[0]);

        if (end > start) {
            result += text.slice(done, start) + REDACTED;
            done = end;
            expression.lastIndex = end;
        }
    }

    return result + text.slice(done);
}

/**
 * Returns a text without secrets: neither what the page's address holds, nor parameters of addresses, nor tokens, nor what
 * is named as a secret.
 *
 * @param {string} text - The text.
 * @returns {string}
 */
export function redactedText(text: string): string {
    const rest = plain(KNOWN.reduce((left, secret) => left.split(secret).join(REDACTED), text))
        .replace(SEED, REDACTED)
        .replace(ADDRESS, (_all, scheme, _user, path, parameters, line = '') =>
            `${scheme}${path}${parameters ? '?...' : ''}${line}`)
        .replace(ACCOUNT, '$1')
        .replace(PARAMETER, `$1${REDACTED}`)
        .replace(TOKEN, REDACTED)
        .replace(SCHEME, `$1${REDACTED}`);

    const named = withoutValues(
        withoutValues(rest, ELEMENT, (all, start) => find(all, /(?:<|&lt;)\//g, start)),
        NAMED,
        endOfValue);

    return withoutValues(named, BARE, endOfValue);
}

/** The end of a text that names what comes next, and a place for it within the text. */
const NAMES_NEXT = new RegExp(`(?:${SECRET})${REST_OF_NAME}["'\`\\]]{0,2}\\s{0,8}(?:[:=]{1,3}>?|is|was|ist|war|lautet)?\\s{0,8}$`, 'i');
const PLACE = /%[sdifoOj]/;

/**
 * Returns what can be logged of some values, one behind the other. One that the text before it names is as secret as in one
 * text with it.
 *
 * @param {Array} values - The values.
 * @param {number} depth - How deep each may be copied.
 * @returns {Array}
 */
export function redactedAll(values: any[], depth = DEPTH): any[] {
    let placed = false;

    return values.map((value, index) => {
        const before = values[index - 1];

        if (typeof before === 'string') {
            placed = placed || (PLACE.test(before) && SECRET_NAME.test(before));
        }
        const named = placed || (typeof before === 'string' && NAMES_NEXT.test(before.slice(-80)));

        return named && (typeof value === 'string' || typeof value === 'number') ? REDACTED : redacted(value, depth);
    });
}

/**
 * Returns what can be logged of a value: texts without secrets, copies of plain objects and errors, the names of all others.
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
        return redactedAll(value, depth - 1);
    }
    if (value instanceof Set) {
        return redacted(Array.from(value), depth);
    }
    if (value instanceof Map) {
        return redacted(Object.fromEntries(value), depth);
    }

    if (ArrayBuffer.isView(value)) {
        return `[${value.byteLength} bytes]`;
    }

    const prototype = Object.getPrototypeOf(value);

    if (prototype === null || prototype === Object.prototype) {
        // Also of a pair whose value has its name beside it.
        const named = [ value.name, value.key ].some(name => typeof name === 'string' && SECRET_NAME.test(name));

        return Object.fromEntries(Object.entries(value).map(([ key, item ]) => [
            redactedText(key),
            SECRET_NAME.test(plain(key)) || (named && (key === 'value' || key === 'content')) ? REDACTED : redacted(item, depth - 1)
        ]));
    }

    // Tracks, addresses and others say what they are; elements and events say that they are some.
    return redactedText(String(value));
}
