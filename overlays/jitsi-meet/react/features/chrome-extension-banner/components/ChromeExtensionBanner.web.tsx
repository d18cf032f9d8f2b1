/**
 * The hardener's banner for browser extensions: there is none. Upstream's links to web stores and asks the browser which
 * extensions are installed.
 *
 * @returns {null} Nothing to show.
 */
export default function ChromeExtensionBanner() {
    return null;
}
