// The bundle's config.js switches P2P off, so that all media pass the bridge. This flavour has no bridge.
config.p2p = Object.assign({}, config.p2p, { enabled: true, codecPreferenceOrder: [ 'VP8' ] });
