/** Addresses in a text, such as url(https://...) in a style. Browsers read backslashes as slashes. */
const ADDRESS = /(?:[a-z][a-z0-9+.-]*:)?[\\/]{2}[^\s"')]+/gi;

/**
 * Whether all addresses in a text are of our own origin.
 *
 * @param {string} text - The text.
 * @returns {boolean}
 */
function isOwn(text: string): boolean {
    if (/^(url\(["']?)?data:/i.test(text.trim())) {
        return true;
    }

    return (text.match(ADDRESS) ?? []).every(address => {
        try {
            return new URL(address, window.location.href).origin === window.location.origin;
        } catch {
            return false;
        }
    });
}

/**
 * Branding data without what lies on foreign hosts: pictures, icons, backgrounds and links.
 *
 * @param {any} value - The answer of the branding service, or a part of it.
 * @returns {any} The same without texts that name foreign addresses.
 */
export function ownOriginBranding(value: any): any {
    if (Array.isArray(value)) {
        return value.filter(one => typeof one !== 'string' || isOwn(one)).map(ownOriginBranding);
    }
    if (value && typeof value === 'object') {
        return Object.fromEntries(Object.entries(value)
            .filter(([ , one ]) => typeof one !== 'string' || isOwn(one))
            .map(([ key, one ]) => [ key, ownOriginBranding(one) ]));
    }

    return value;
}
