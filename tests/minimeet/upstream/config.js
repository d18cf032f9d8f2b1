/* What the operator of a site sets. It is put into index.html by the web server. */
var config = {
    // The XMPP service: its address, its domain, where its rooms are.
    websocket: location.origin.replace(/^http/, 'ws') + '/xmpp-websocket',
    domain: location.hostname,
    muc: 'conference.' + location.hostname,

    // People without an account sign in here.
    anonymousDomain: 'guest.' + location.hostname,

    analytics: {
        endpoint: 'https://tracker.example/collect'
    }
};
