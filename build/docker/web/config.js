
// What the test stack needs on top of the bundle's own config.js (build/docker/web/config.js).
config.hosts = { domain: 'meet.jitsi', muc: 'muc.meet.jitsi', focus: 'focus.meet.jitsi' };
// One codec and a small picture: two browsers with a camera each have to share a small machine.
config.videoQuality = { codecPreferenceOrder: [ 'VP8' ] };
config.resolution = 180;
config.constraints = { video: { height: { ideal: 180, max: 180, min: 180 }, frameRate: { max: 15 } } };
