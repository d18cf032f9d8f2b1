/** Puts minimeet into another page: `new MinimeetExternalAPI('meet.my.site', { roomName, parentNode })`. */
export default class MinimeetExternalAPI {
    constructor(domain, { roomName = '', parentNode = document.body } = {}) {
        this._frame = Object.assign(document.createElement('iframe'), {
            src: `https://${domain}/#${encodeURIComponent(roomName)}`,
            title: 'minimeet'
        });
        parentNode.append(this._frame);
    }

    /** Takes the conference away again. */
    dispose() {
        this._frame.remove();
    }
}
