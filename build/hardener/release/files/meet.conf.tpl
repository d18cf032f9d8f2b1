{{ $bridges := .Env.COLIBRI_WEBSOCKET_REGEX | default "jvb" -}}
{{ $colibri := .Env.ENABLE_COLIBRI_WEBSOCKET | default "0" | toBool -}}
{{ $port := .Env.COLIBRI_WEBSOCKET_PORT | default "9090" -}}
{{ $tenants := .Env.ENABLE_SUBDOMAINS | default "true" | toBool -}}
{{ $websocket := .Env.ENABLE_XMPP_WEBSOCKET | default "1" | toBool -}}
{{ $xmpp := .Env.XMPP_BOSH_URL_BASE | default "http://xmpp.meet.jitsi:5280" -}}
# The hardened site. The image's start script fills in this template, which takes the place of upstream's.
server_name _;
root /usr/share/jitsi-meet;
set $hardener_xmpp {{ $xmpp }};
include /config/nginx-custom/*.conf;

location = /config.js {
    include hardener/security-headers.conf;
    add_header Cache-Control no-store always;
    alias /config/config.js;
}
location = /interface_config.js {
    include hardener/security-headers.conf;
    add_header Cache-Control no-store always;
    alias /config/interface_config.js;
}
