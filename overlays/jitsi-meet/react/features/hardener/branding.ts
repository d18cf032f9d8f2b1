import { breakpoints, colorMap, font, shape, typography } from '../base/ui/Tokens';
import * as jitsiTokens from '../base/ui/jitsiTokens.json';
import * as tokens from '../base/ui/tokens.json';

import { Rule, dictionary, flag, list, number, record, text, where } from './shape';

/**
 * Backslashes are slashes or escapes to a browser, some control characters are nothing, and a comment of CSS may hide one of
 * two quotes.
 */
const ODD = /[\\\p{Cc}]|\/\*/u;

/** What ends an address where upstream writes it into a style: url(ADDRESS). */
const ENDS = /[\s"'()]/;

/** An address in a style (CSS): url(...), or anything in quotes. */
const STYLE_ADDRESS = /url\(\s*(?:[^\s"'()]*|"[^"]*"|'[^']*')\s*\)|"[^"]*"|'[^']*'/gi;

/** The longest picture within the answer: a data: address. */
const LONGEST_PICTURE = 2_000_000;

/**
 * Returns whether a browser would ask our own origin for an address.
 *
 * @param {string} address - The address.
 * @param {string} base - What it is relative to, if it may be.
 * @returns {boolean}
 */
function isOwn(address: string, base?: string): boolean {
    try {
        const { origin, password, username } = new URL(address, base);

        return !ODD.test(address) && origin === window.location.origin && !password && !username;
    } catch {
        return false;
    }
}

/** Accepts an address unchanged, as it becomes a part of invitations. */
const invitation = text(address => !ENDS.test(address) && isOwn(address));

/** Accepts a page or file. */
const link = text(address => !ENDS.test(address) && isOwn(address, window.location.href));

/** Accepts a picture. */
const picture = text(address => !ENDS.test(address) && !ODD.test(address)
    && (/^data:image\//i.test(address) || isOwn(address, window.location.href)), LONGEST_PICTURE);

/** Accepts a style: what in it can be read as an address is one of our own or within the text, and nothing ends the style. */
const style = text(css => {
    const addresses: string[] = [];
    const rest = css.replace(STYLE_ADDRESS, found => {
        addresses.push(found.replace(/^url\(\s*|\s*\)$/gi, '').replace(/^["']|["']$/g, ''));

        return '';
    });

    return !ODD.test(css) && !/[:;{}@]|\/\/|url\(|["']/i.test(rest)
        && addresses.every(address => /^data:image\//i.test(address) || isOwn(address, window.location.href));
}, LONGEST_PICTURE);

/** A color as such: var() and other functions within it would be a style, which may name an address. */
const COLOR = /^(?:#[\da-f]{3,8}|[a-z]+|(?:rgba?|hsla?|hwb|(?:ok)?(?:lab|lch)|color)\([\w\s.,%/+-]*\))$/i;

/** Names of colors: a name of the default theme, or one that the browser knows. */
const COLORS = new Set([ colorMap, tokens, jitsiTokens ].flatMap(names => Object.keys(names)));
const color = text(name => COLORS.has(name) || (COLOR.test(name) && CSS.supports('color', name)), 120);

/** Accepts a length: pixels, or a number with a unit. */
const length: Rule = value => number(value) ?? text(size => /^-?\d*\.?\d+(?:%|em|px|rem)?$/.test(size), 20)(value);

/** The style of a kind of text. */
const textStyle = record({
    fontSize: length,
    fontWeight: value => number(value) ?? where(weight => [ 'bold', 'normal' ].includes(weight))(value),
    letterSpacing: length,
    lineHeight: length
});

/**
 * Applies the same rule to the keys of a part of the default theme: another key would become a selector or a property of a
 * style.
 *
 * @param {Object} part - The part.
 * @param {Function} rule - The rule.
 * @returns {Function} The rule for the part.
 */
const keysOf = (part: Object, rule: Rule): Rule => record(
    Object.fromEntries(Object.keys(part).map(key => [ key, rule ])));

const theme = record({
    breakpoints: record({ values: keysOf(breakpoints.values, number) }),
    palette: record(Object.fromEntries([ ...COLORS ].map(name => [ name, color ]))),
    shape: record({
        ...Object.fromEntries(Object.keys(shape).map(key => [ key, length ])),
        boxShadow: style
    }),
    spacing: list(number),
    typography: record({
        ...Object.fromEntries(Object.keys(typography).map(key => [ key, textStyle ])),
        font: keysOf(font, number)
    })
});

/** Languages, each with the address of its texts. */
const labels = dictionary(/^[A-Za-z-]{2,20}$/, link);

/**
 * All keys that count. The rest of what upstream reads are keys of the configuration, which branding does not set, and two that
 * upstream works out itself: `brandedIcons` would be markup, `muiBrandedTheme` a theme that has not been checked.
 */
const branding = record({
    avatarBackgrounds: list(value => picture(value) ?? style(value)),
    backgroundColor: color,
    backgroundImageUrl: picture,
    customIcons: dictionary(/^[A-Za-z\d]{1,80}$/, link),
    customTheme: theme,
    defaultBranding: flag,
    defaultTranscriptionLanguage: text(language => /^[A-Za-z-]{2,20}$/.test(language)),
    didPageUrl: invitation,
    groupChatRequiresPermission: flag,
    inviteDomain: invitation,
    labels,
    'labels-countries': labels,
    'labels-languages': labels,
    'labels-main': labels,
    'labels-translation-languages': labels,
    logoClickUrl: link,
    logoImageUrl: picture,
    pollCreationRequiresPermission: flag,
    premeetingBackground: style,
    requireRecordingConsent: flag,
    skipRecordingConsentInMeeting: flag,
    supportUrl: link,
    virtualBackgrounds: list(value => picture(value) ?? record({
        src: picture,
        tooltip: text()
    })(value))
});

/**
 * Returns branding data without what lies on foreign hosts, and without what has another shape than the client expects.
 *
 * @param {any} value - The answer of the branding service.
 * @returns {Object} The known keys whose values fit.
 */
export function ownOriginBranding(value: unknown): any {
    return branding(value) ?? {};
}
