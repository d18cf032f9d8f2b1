/**
 * The avatar address to load for a participant: only pictures from our own origin or from inside the page. Whoever
 * chooses the address of a picture learns the IP address of everybody who sees it.
 *
 * @param {string|undefined} url - The address that the participant, a token or an embedding page has set.
 * @returns {string|null} The address, or null where it leads elsewhere.
 */
export function ownOriginAvatarURL(url?: string): string | null {
    if (!url) {
        return null;
    }

    // Upstream passes icons, which are components, where it passes addresses.
    if (typeof url !== 'string') {
        return url;
    }

    try {
        const { origin, protocol } = new URL(url, window.location.href);

        // A blob: address carries the origin of the page that made it.
        return protocol === 'data:' || origin === window.location.origin ? url : null;
    } catch {
        return null;
    }
}
