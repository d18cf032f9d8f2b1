/*
 * hardener: opens a link with a user name or password before the host again without them. Browsers refuse each
 * fetch() of such a page: translations, WebAssembly and settings would be missing.
 */
(() => {
    const address = new URL(document.URL);

    if (address.username || address.password) {
        address.username = '';
        address.password = '';
        window.location.replace(address.href);
    }
})();
