/*
 * hardener: upstream's inline script of dialInInfo.html, so that the Content-Security-Policy needs no hash.
 */
window.EXCALIDRAW_ASSET_PATH = 'libs/excalidraw/';
document.addEventListener('DOMContentLoaded', () => {
    if (!JitsiMeetJS.app) {
      return;
    }

    JitsiMeetJS.app.renderEntryPoint({
        Component: JitsiMeetJS.app.entryPoints.DIALIN
    });
});
