/*
 * hardener: upstream's inline script of prejoin.html, so that the Content-Security-Policy needs no hash.
 */
window.EXCALIDRAW_ASSET_PATH = 'libs/excalidraw/';
document.addEventListener('DOMContentLoaded', () => {
    if (!JitsiMeetJS.app) {
      return;
    }

    const url = new URL(window.location.href);
    const params = new URLSearchParams(url.search);
    const styleType = params.get('styleType');

    JitsiMeetJS.app.renderEntryPoint({
        Component: JitsiMeetJS.app.entryPoints.PREJOIN,
        props: {
          styleType
        }
    })
})
