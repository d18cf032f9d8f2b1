/** A picture within the address. No SVG: nothing in one has to be drawn to be seen as a face. */
const PICTURE = /^data:image\/(?:avif|gif|jpe?g|png|webp);base64,[A-Za-z\d+/]+=*$/;

/** A path that is written in one way only: nothing encoded, no empty part, no query. */
const PATH = /^(?:\/[\w~-][\w.~-]*)+$/;

/**
 * Returns the folders of our own origin that hold avatars: `avatarPaths` in config.js, which no link can set. None by
 * default.
 *
 * @returns {string[]}
 */
function avatarPaths(): string[] {
    const configured = (window as any).config?.avatarPaths;

    return (Array.isArray(configured) ? configured : []).filter(
        folder => typeof folder === 'string' && folder.endsWith('/') && PATH.test(folder.slice(0, -1)));
}

/**
 * Returns the avatar address to load for a participant: a picture within the address, or one in a folder that config.js
 * names. The person who chooses the address of a picture makes everybody who sees it send a request: to a foreign host,
 * which learns the IP address, or to our own, as if they had sent it themselves.
 *
 * @param {any} url - The address that the participant, a token or an embedding page has set.
 * @returns {any} The address, or null where it is none of a picture.
 */
export function ownOriginAvatarURL(url?: any): any {
    if (typeof url !== 'string') {
        // Upstream passes icons, which are components, where it passes addresses. No JSON can hold a function.
        return typeof url === 'function' ? url : null;
    }

    const { origin } = window.location;
    const path = url.startsWith(`${origin}/`) ? url.slice(origin.length) : url;

    return PICTURE.test(url) || (PATH.test(path) && avatarPaths().some(folder => path.startsWith(folder))) ? url : null;
}
