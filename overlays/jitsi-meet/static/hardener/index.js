/*
 * hardener: upstream's first inline script of index.html, so that the Content-Security-Policy needs no hash.
 */
function contextRoot(pathname) {
    const contextRootEndIndex = pathname.lastIndexOf('/');

    return (
        contextRootEndIndex === -1
        ? '/'
        : pathname.substring(0, contextRootEndIndex + 1)
    );
}
window.EXCALIDRAW_ASSET_PATH = 'libs/excalidraw/';
// Dynamically generate the manifest location URL. It must be served from the document origin, and we may have
// the base pointing to the CDN. This way we can generate a full URL which will bypass the base.
document.querySelector('#manifest-placeholder').setAttribute('href', window.location.origin + contextRoot(window.location.pathname) + 'manifest.json');

document.addEventListener('DOMContentLoaded', () => {
    if (!JitsiMeetJS.app) {
        return;
    }

    JitsiMeetJS.app.renderEntryPoint({
        Component: JitsiMeetJS.app.entryPoints.APP
    })

    const isEmbedded = () => {
        try {
            return window.self !== window.top;
        } catch (e) {
            return true;
        }
    };

    const isElectron = navigator.userAgent.includes('Electron');
    const shouldRegisterWorker = !isElectron && !isEmbedded() && 'serviceWorker' in navigator;

    if (shouldRegisterWorker) {
        navigator.serviceWorker
            .register(window.location.origin + contextRoot(window.location.pathname) + 'pwa-worker.js')
            .then(reg => {
                console.log('Service worker registered.', reg);
            })
            .catch(err => {
                console.log(err);
            });
    }
});
