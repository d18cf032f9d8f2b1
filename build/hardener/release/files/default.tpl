{{ $ipv6 := .Env.ENABLE_IPV6 | default "1" | toBool -}}
{{ $plain := .Env.DISABLE_HTTPS | default "0" | toBool -}}
{{ $redirect := .Env.ENABLE_HTTP_REDIRECT | default "0" | toBool -}}
# Both servers, and what meet.conf needs outside of them.
include hardener/zones.conf;

server {
    listen 80 default_server;
{{ if $ipv6 }}
    listen [::]:80 default_server;
{{ end }}
{{ if $redirect }}
    return 301 https://$host$request_uri;
{{ else }}
    include /config/nginx/meet.conf;
{{ end }}
}

{{ if $plain }}
{{ else }}
server {
    listen 443 ssl http2;
{{ if $ipv6 }}
    listen [::]:443 ssl http2;
{{ end }}
    include /config/nginx/ssl.conf;
    include /config/nginx/meet.conf;
}
{{ end }}
