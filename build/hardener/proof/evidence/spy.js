// Runs in every page and frame before any other script: reports what the network events do not show.
(() => {
    const { __hardenerWitness: witness, JSON: { stringify } } = window; // a page may replace them
    const tell = (kind, detail) => { try { witness(kind, stringify(detail)); } catch (_) { /* gone */ } };
    const ice = configuration => {
        const found = [];
        const servers = (configuration || {}).iceServers || [];
        for (let i = 0; i < servers.length; i++) { // no methods: a page may replace them
            const urls = servers[i].urls || servers[i].url || [];
            const list = typeof urls === 'string' ? [ urls ] : urls;
            for (let j = 0; j < list.length; j++) { found[found.length] = String(list[j]); }
        }
        return found;
    };
    const Peer = window.RTCPeerConnection;
    if (Peer) {
        const told = configuration => tell('ice', { servers: ice(configuration) });
        const Spied = new Proxy(Peer, {
            construct(target, words, asked) { told(words[0]); return Reflect.construct(target, words, asked === Spied ? target : asked); }
        });
        const set = Peer.prototype.setConfiguration;
        Peer.prototype.setConfiguration = function(configuration) { told(configuration); return set.apply(this, arguments); };
        window.RTCPeerConnection = Spied;
        if (window.webkitRTCPeerConnection) { window.webkitRTCPeerConnection = Spied; }
    }
    const beacon = navigator.sendBeacon;
    if (beacon) {
        navigator.sendBeacon = function(url) { tell('beacon', { url: new URL(url, location.href).href }); return beacon.apply(navigator, arguments); };
    }
    if (window.WebTransport) {
        window.WebTransport = new Proxy(window.WebTransport, {
            construct(target, words) { tell('webtransport', { url: String(words[0]) }); return new target(...words); }
        });
    }
    const hints = nodes => nodes.forEach(node => {
        if (node.tagName === 'LINK' && /preconnect|dns-prefetch|prefetch|preload/i.test(node.rel) && /^(https?:)?\/\//.test(node.href)) {
            tell('hint', { url: node.href });
        }
    });
    new MutationObserver(changes => changes.forEach(one => hints(one.addedNodes)))
        .observe(document, { childList: true, subtree: true });
    const media = navigator.mediaDevices;
    if (media) {
        const get = media.getUserMedia;
        media.getUserMedia = function() { tell('devices', {}); return get.apply(this, arguments); };
    }
    const open = window.open;
    window.open = function(url) { tell('window-open', { url: url ? new URL(url, location.href).href : '' }); return open.apply(window, arguments); };
})();
