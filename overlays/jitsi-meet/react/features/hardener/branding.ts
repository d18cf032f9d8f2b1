/**
 * Backslashes are slashes or escapes to a browser, some control characters are nothing, and a comment of CSS may hide one of
 * two quotes.
 */
const ODD = /[\\\p{Cc}]|\/\*/u;

/** What ends an address where upstream writes it into a style: url(ADDRESS). */
const ENDS = /[\s"'()]/;

/** An address in a style (CSS): url(...), or anything in quotes. */
const STYLE_ADDRESS = /url\(\s*(?:[^\s"'()]*|"[^"]*"|'[^']*')\s*\)|"[^"]*"|'[^']*'/gi;

type Test = (text: string) => boolean;

/**
 * Whether a browser would ask our own origin for an address.
 *
 * @param {string} address - The address.
 * @param {string} base - What it is relative to, if it may be.
 * @returns {boolean}
 */
function isOwn(address: string, base?: string): boolean {
    try {
        return !ODD.test(address) && new URL(address, base).origin === window.location.origin;
    } catch {
        return false;
    }
}

/** As it stands, for it becomes a part of invitations. */
const invitation: Test = text => !ENDS.test(text) && isOwn(text);

/** A page or file. */
const link: Test = text => !ENDS.test(text) && isOwn(text, window.location.href);

/** A picture. */
const picture: Test = text => link(text) || (/^data:/i.test(text) && !ENDS.test(text) && !ODD.test(text));

/** A style or another text: what in it can be read as an address is one of our own or within the text, and nothing else. */
const style: Test = text => {
    const addresses: string[] = [];
    const rest = text.replace(STYLE_ADDRESS, found => {
        addresses.push(found.replace(/^url\(\s*|\s*\)$/gi, '').replace(/^["']|["']$/g, ''));

        return '';
    });

    return !ODD.test(text) && !/:|\/\/|url\(|["']/i.test(rest)
        && addresses.every(address => /^data:/i.test(address) || isOwn(address, window.location.href));
};

const anything: Test = text => picture(text) || style(text);

/**
 * What the texts below a key have to be.
 *
 * @param {string} key - The key.
 * @param {Function} above - What those have to be that this one is among.
 * @returns {Function}
 */
function testFor(key: string, above: Test): Test {
    if (key === 'didPageUrl' || key === 'inviteDomain') {
        return invitation;
    }

    return /^(customIcons|labels|logoClickUrl|supportUrl)/.test(key) ? link : above;
}

/**
 * Branding data without what lies on foreign hosts: pictures, icons, backgrounds, texts and links.
 *
 * @param {any} value - The answer of the branding service, or a part of it.
 * @param {Function} fits - What its texts have to be.
 * @returns {any} The same without texts that name foreign addresses, or hide what they name.
 */
export function ownOriginBranding(value: any, fits: Test = anything): any {
    if (Array.isArray(value)) {
        return value.filter(one => typeof one !== 'string' || fits(one)).map(one => ownOriginBranding(one, fits));
    }
    if (value && typeof value === 'object') {
        return Object.fromEntries(Object.entries(value)
            .filter(([ key, one ]) => typeof one !== 'string' || !one || testFor(key, fits)(one))
            .map(([ key, one ]) => [ key, ownOriginBranding(one, testFor(key, fits)) ]));
    }

    return value;
}
