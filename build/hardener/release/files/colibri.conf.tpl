{{ if $colibri }}
location ~ "^/colibri-ws/(?<hardener_host>{{ $bridges }})/(?<hardener_channel>[\w.-]+/[\w.-]+)$" {
    include hardener/security-headers.conf;
    proxy_pass http://$hardener_host:{{ $port }}/colibri-ws/$hardener_host/$hardener_channel$is_args$args;
    include hardener/proxy.conf;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection upgrade;
    tcp_nodelay on;
}
{{ end }}
