import { IReduxState } from '../app/types';

/*
 * hardener: who runs this service, as config.js says. Links, embedding pages and branding cannot set any of it
 * (configAllowList.ts). What is shown to people before they log in is checked here nevertheless: a mistake in config.js
 * leaves a line out, and never stops the page.
 */

/** A link that people may click. */
export interface ILink {
    href: string;
    text: string;
}

/** Pages about the service that config.js may name, in the order in which they are shown. */
const PAGES = [ 'imprint', 'privacy', 'terms', 'accessibility' ] as const;

/** An e-mail address without its scheme. */
const EMAIL = /^[^\s@:/?#]+@[^\s@:/?#]+\.[^\s@:/?#]+$/;

/**
 * Returns a value of config.js if it is a text that is not empty.
 *
 * @param {any} value - The value.
 * @returns {string} The text without the space around it, or an empty one.
 */
function toText(value: unknown): string {
    return typeof value === 'string' ? value.trim() : '';
}

/**
 * Returns an address that a link may have.
 *
 * @param {any} value - An absolute address, or a path on this server.
 * @param {string[]} protocols - The protocols that it may have. Addresses on this server always pass.
 * @returns {URL|undefined} Undefined for anything else, such as "javascript:".
 */
function toAddress(value: unknown, protocols: string[]): URL | undefined {
    try {
        const url = new URL(toText(value) || 'about:blank', document.baseURI);

        return (/^https?:$/.test(url.protocol) && url.origin === window.location.origin) || protocols.includes(url.protocol)
            ? url : undefined;
    } catch {
        return undefined;
    }
}

/**
 * Returns a key of config.js that upstream does not know.
 *
 * @param {Object} state - The redux state.
 * @param {string} key - The key.
 * @returns {Object}
 */
function getKey(state: IReduxState, key: string): Record<string, unknown> {
    return Object((state['features/base/config'] as Record<string, any>)[key]);
}

/**
 * Returns the name of the operator.
 *
 * @param {Object} state - The redux state.
 * @returns {string} Empty where config.js does not name the operator.
 */
export function getOperatorName(state: IReduxState): string {
    return toText(getKey(state, 'operator').name);
}

/**
 * Returns the address of the operator's logo.
 *
 * @param {Object} state - The redux state.
 * @returns {string|undefined} Undefined where there is none, or where it is not on this server.
 */
export function getOperatorLogo(state: IReduxState): string | undefined {
    return toAddress(getKey(state, 'operator').logo, [])?.href;
}

/**
 * Returns the addresses of the operator's pages that people must find before they log in.
 *
 * @param {Object} state - The redux state.
 * @returns {Object[]} Each with the name of the page, which is also the key of its text in lang/main.json.
 */
export function getLegalPages(state: IReduxState): { href: string; page: string; }[] {
    const urls = getKey(state, 'legalUrls');

    return PAGES
        .map(page => {
            return {
                href: toAddress(urls[page], [ 'https:', 'http:' ])?.href ?? '',
                page
            };
        })
        .filter(({ href }) => href);
}

/**
 * Returns whom people without an account may ask.
 *
 * @param {Object} state - The redux state.
 * @returns {Object|string|undefined} A link, a text, or undefined where config.js has neither.
 */
export function getHelp(state: IReduxState): ILink | string | undefined {
    const { help } = getKey(state, 'personalLogin');
    const { text, url } = typeof help === 'object' ? Object(help) : { text: help,
        url: help };
    const shown = toText(text);
    const address = toText(url);
    const known = EMAIL.test(address) ? `mailto:${address}` : address;

    if (/^(?:https|mailto|tel):/i.test(known)) {
        const href = toAddress(known, [ 'https:', 'mailto:', 'tel:' ])?.href;

        if (href) {
            return {
                href,
                text: (shown === address ? '' : shown) || address.replace(/^(?:https:\/\/|mailto:|tel:)/i, '').replace(/\?.*$/, '')
            };
        }
    }

    return shown || undefined;
}
