// Jitsi Meet configuration.
var config = {};
config.hosts = {};
config.hosts.domain = 'meet.jitsi';
var subdomain = '<!--# echo var="subdomain" default="" -->';
config.hosts.muc = 'muc.' + subdomain + 'meet.jitsi';
config.bosh = 'https://meet.example.org/http-bind';
config.p2p = { enabled: false };
config.disableDeepLinking = true;
