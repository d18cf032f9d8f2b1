"""check-server: forms of one mistake that look different, beside forms that look like it and are right."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from hardener.servercheck.check import check
from support.server_fixtures import CONFIG, HOST, INTERNAL, JICOFO, LOGIN, MAIN, MUC, SITE, TOKEN, clean

if TYPE_CHECKING:
    from pathlib import Path

RIGHT = ""
JVB = "jitsi/videobridge/jvb.conf"
DISABLE = "org.jitsi.jicofo.DISABLE_AUTO_OWNER"
OLD = "jitsi/jicofo/sip-communicator.properties"
START = "jitsi/jicofo/config"
SECOND = "server {{ listen 8443 ssl; location {} {{ proxy_pass http://127.0.0.1:{}; }} }}\n"
TOKENS = f'{TOKEN}\n    allow_empty_token = false\n    asap_accepted_audiences = {{ "meet" }}\n    '
GUEST = 'VirtualHost "guest.example.org"\n    authentication = "anonymous"\n    enabled = '
FRONT = {"nginx/sites-enabled/meet.example.org.conf": ""}


@dataclass(frozen=True)
class Variant:
    """``edits``: text of a file and what takes its place ("": the end of the file). ``finds``: the id; RIGHT: no
    critical one.
    """

    finds: str
    edits: tuple[tuple[str, str, str], ...]
    severity: str = "critical"
    form: str = "debian"
    files: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.finds or 'right'}-{' '.join(new for _, _, new in self.edits)[-60:]}{' '.join(self.files)}"

    def apply(self, root: Path) -> None:
        for name, text in self.files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        for name, old, new in self.edits:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            text = path.read_text() if path.exists() else ""
            assert old in text
            path.write_text(text.replace(old, new, 1) if old else text + new)


def edit(
    finds: str, *edits: tuple[str, str, str], severity: str = "critical", files: dict[str, str] | None = None
) -> Variant:
    return Variant(finds, edits, severity, files=files or {})


def env(finds: str, text: str, severity: str = "critical") -> Variant:
    return Variant(finds, ((".env", "", text),), severity, "docker")


NAMES = (
    edit("anonymous-login", (HOST, INTERNAL, "authentication = login"), (MAIN, INTERNAL, 'authentication = "anonymous"\nlogin = "internal_hashed"')),
    edit("cannot-tell", (HOST, INTERNAL, "authentication = internal_hashed")),
    edit("cannot-tell", (MAIN, INTERNAL, 'x = "internal_hashed"\nauthentication = x')),
    edit("empty-token", (HOST, INTERNAL, f"{TOKEN}\n    allow_empty_token = (closed or true)"), (MAIN, "", "closed = false\n")),
    edit("s2s-open", (MAIN, '"s2s"; "register" }', '"register" }\noff = { "s2s" }'), (MAIN, "", "modules_disabled = off\n")),
    edit(RIGHT, (HOST, INTERNAL, 'local how = "internal_hashed"\n    authentication = how')),
    edit("anonymous-login", (MAIN, INTERNAL, 'authentication = "anonymous"'), (HOST, INTERNAL, "authentication = nil")),
    edit("anonymous-login", (MAIN, INTERNAL, 'authentication = "anonymous"'), (HOST, INTERNAL, "authentication = false or nil")),
)  # fmt: skip
TOKEN_KEYS = (
    edit("token-key-cleartext", (HOST, INTERNAL, f'{TOKENS}cache_keys_url = "http://sso.example.org/certs"')),
    edit("token-key-cleartext", (HOST, INTERNAL, f'{TOKENS}cache_keys_url = "HTTP://sso.example.org/certs"')),
    edit("token-key-cleartext", (HOST, INTERNAL, f'{TOKENS}asap_key_server = "ftp://sso.example.org/"')),
    edit("token-key-cleartext", (HOST, INTERNAL, TOKENS), (MAIN, "", 'cache_keys_url = "http://keycloak:8080/certs"\n')),
    edit("token-key-cleartext", (HOST, INTERNAL, f'{TOKENS}cache_keys_url = "http://127.0.0.1.example.org/"')),
    edit("jaas-vhost", (HOST, INTERNAL, f'{TOKENS}cache_keys_url = "https://jaas-public-keys.jitsi.net/x.json"')),
    edit("jaas-vhost", (HOST, INTERNAL, f'{TOKENS}cache_keys_url = "https://keys.8X8.vc/x.json"')),
    edit("jaas-vhost", (HOST, INTERNAL, f'{TOKENS}asap_key_server = "https://JAAS-public-keys.Jitsi.NET/x"')),
    edit("cannot-tell", (HOST, INTERNAL, f'{TOKENS}cache_keys_url = "https://" .. os.getenv("SSO")')),
    edit("cannot-tell", (HOST, INTERNAL, f"{TOKENS}cache_keys_url = ENV_KEYS")),
    edit(RIGHT, (HOST, INTERNAL, f'{TOKENS}cache_keys_url = "https://sso.example.org/certs"')),
    edit(RIGHT, (HOST, INTERNAL, f'{TOKENS}cache_keys_url = "http://127.0.0.1:8080/certs"')),
    env("token-key-cleartext", "AUTH_TYPE=jwt\nJWT_ASAP_KEYSERVER=http://keys.example.org\n"),
)  # fmt: skip
ALLOW_LIST = tuple(
    edit(finds, (HOST, INTERNAL, TOKENS), (HOST, MUC, f'{MUC}"token_verification"; '),
         (HOST, "    restrict_room_creation = true\n", f"    restrict_room_creation = true\n    token_verification_allowlist = {value}\n"),
         severity="warning")
    for finds, value in (
        ("token-rooms-not-checked", '{ "meet.example.org" }'),
        ("token-rooms-not-checked", '{ "auth.meet.example.org", "Meet.Example.org" }'),
        ("token-rooms-not-checked", '{ "chief@meet.example.org" }'),
        ("token-rooms-not-checked", '"meet.example.org"'),
        (RIGHT, '{ "auth.meet.example.org", "recorder.meet.example.org" }'),
    )
)  # fmt: skip
SECRETS = (
    *(
    env("service-password-weak", f"JVB_AUTH_PASSWORD={value}\n")
    for value in (
        "changeMeJvbAuth123", "CHANGE_ME_GENERATED_SECRET", "<your-jvb-password-here>", "replace_with_long_random_string",
        "s3cr3tP@ssw0rd2024", "jitsi-jvb-secret-key", "aaaaaaaaaaaaaaaaaaaaaaaa", "abcabcabcabcabcabcabc", "PleaseChangeThisPassword!",
        "YOUR_STRONG_PASSWORD_HERE", "insert-random-string-here", "placeholder-jvb-7f3k", "xxxxxxxxxxxxxxxxxxxx", "my_jitsi_app_secret",
    )
),
    env("token-secret-weak", "AUTH_TYPE=jwt\nJWT_APP_SECRET=your-super-secret-jwt-key-change-in-production\n"),
    env("token-secret-weak", "AUTH_TYPE=jwt\nJWT_APP_SECRET=a-string-secret-at-least-256-bits-long\n"),
    edit("token-secret-weak", (HOST, INTERNAL, 'authentication = "token"\n    app_secret = "your-256-bit-secret-your-256-bit-secret"')),
    edit("service-password-weak", (JVB, "pL9sG4dVx6QeU2kYm8BnC3", "jvb-secret-change-me-please")),
    edit("service-password-weak", (HOST, "", 'Component "focus2.example.org"\n    component_secret = "focus-component-secret"\n')),
    env(RIGHT, "JVB_AUTH_PASSWORD=83746193847362819283746152637485\n"),
    env(RIGHT, "JVB_AUTH_PASSWORD=kVq7Zt2mNw9xLp4RbY6sHd3f\n"),
    env(RIGHT, "JVB_AUTH_PASSWORD=wombat-carousel-tungsten-zephyr\n"),
)  # fmt: skip
SERVED = "secrets-published"
CLIENT = "root /usr/share/jitsi-meet;"
PUBLISHED = (
    *(edit("secrets-published", (SITE, CLIENT, f"root {folder};")) for folder in ("/", "//", "//etc/prosody", "/etc/letsencrypt/live", "/etc/ssl/private/", "/etc", "/etc/jitsi/meet/", "/usr/share/jitsi-meet/../../..", "/var/lib")),
    *(edit("secrets-published", (SITE, CLIENT, f"{CLIENT} set $folder /etc/jitsi; location {words} {{ alias {path}; }}")) for words, path in (("/conf/", "/etc/jitsi/"), ("~ ^/c/(.*)$", "/etc/prosody/$1"), ("= /k", "/etc/jitsi/meet/meet.example.org.key"), ("/a/", "/var/lib/prosody/"), ("/v/", "$folder"))),
    edit("secrets-published", (SITE, CLIENT, f"{CLIENT} location /a {{ location /jitsi/meet/ {{ root /etc/; }} }}")),
    *(edit(RIGHT, (SITE, CLIENT, f"{CLIENT} set $client /etc/jitsi/meet/h-config.js; location {words} {{ alias {path}; }}")) for words, path in (("= /c.js", "/etc/jitsi/meet/$host-config.js"), (r"~ ^/(logo\.svg)$", "/etc/jitsi/meet/$1"), ("/w/", "/usr/share/jitsi-meet/images/"), ("/v/", "/etc/jitsi-logos/"), ("~ ^/_api/public/(.*)$", "/etc/jitsi/meet/public/$1"), ("= /c.js", "$client"))),
)  # fmt: skip
# What is inside of the server, and before it.
FOLDERS = (
    # An expression decides which file it is.
    (SERVED, r"location ~ ^/x/(.+\.json)$ { alias /etc/jitsi/$1; }", ""),
    (SERVED, r"location ~ ^/x/(?<f>.+\.js)$ { alias /etc/jitsi/$f; }", ""),
    (SERVED, r"location ~ ^/x/([^/]+\.json)$ { alias /etc/jitsi/jigasi/$1; }", ""),
    (SERVED, r"location ~ \.json$ { root /etc/letsencrypt; }", ""),
    (SERVED, r"location ~ ^/(b|a\.svg)$ { root /etc/jitsi/meet; }", ""),
    (RIGHT, r"location ~ ^/(config|interface_config)\.js$ { root /etc/jitsi/meet; }", ""),
    (RIGHT, r"location ~ ^/(config|interface_config)\.js$ { alias /etc/jitsi/meet/$1.js; }", ""),
    (RIGHT, r"location ~ \.svg$ { root /etc/jitsi/meet; }", ""),
    (RIGHT, r"location = /logo.svg { root /etc/jitsi/meet; }", ""),
    (RIGHT, "location ^~ /images/ { root /; }", ""),
    # Two dots at the start of what is put behind the folder
    (SERVED, "location /conf { alias /etc/jitsi/meet/public/; }", ""),
    (SERVED, r"location ~ ^/x(.*)$ { alias /etc/jitsi/meet/public/$1; }", ""),
    (RIGHT, "location /static { alias /usr/share/jitsi-meet/static/; }", ""),
    (RIGHT, r"location ~ ^/logo-(\w+\.svg)$ { alias /etc/jitsi/meet/public/$1; }", ""),
    # Paths that nginx itself looks for
    (SERVED, "location /t/ { try_files $uri /../../../etc/jitsi$uri =404; }", ""),
    (SERVED, "location /t/ { try_files $arg_file =404; }", ""),
    (SERVED, "location ~ ^/t(.*)$ { root /var/lib/jitsi; try_files /$1 =404; }", ""),
    (SERVED, "location = /t { root /run; try_files /web/config/keys/cert.key =404; }", ""),
    (SERVED, "location /m/ { rewrite ^/m/(.*)$ /../../../etc/jitsi/$1 break; }", ""),
    (SERVED, "location /files/ { alias /srv/; } rewrite ^/a(.*)$ /files/$1;", ""),
    (SERVED, "location /i/ { index /../../../etc/prosody/prosody.cfg.lua; }", ""),
    (SERVED, "error_page 403 /../../../etc/shadow;", ""),
    (RIGHT, "location /t/ { try_files $uri $uri/ $uri.html /index.html; }", ""),
    (RIGHT, "location ~ ^/t/(.*)$ { root /srv/jitsi; try_files /$1 =404; }", ""),
    (RIGHT, "location /files/ { alias /srv/; } rewrite ^/a/(.*)$ /files/$1;", ""),
    (RIGHT, "rewrite ^/old(.*)$ https://x.example/$1; rewrite ^/x(.*)$ /$1 permanent;", ""),
    (RIGHT, "location = /http-bind/ { try_files $arg_x =404; proxy_pass http://127.0.0.1:5280/http-bind; }", ""),
    # Variables
    (SERVED, "location /m/ { alias $folder; }", "map $host $folder { default /srv/; a.example /etc/jitsi/; }"),
    (SERVED, "location /m/ { root $folder; }", "map $uri $folder { default /srv; ~^/m/(?<rest>.+)$ /etc/$rest; }"),
    (SERVED, "location /m/ { alias $folder; }", "geo $folder { default /srv/; 10.0.0.0/8 /etc/jitsi/; }"),
    (SERVED, "location /m/ { alias $folder/; }", "split_clients $remote_addr $folder { 50% /srv; * /etc/prosody; }"),
    (SERVED, "set $a /srv; if ($host = x) { set $a /etc/jitsi; } location /m/ { alias $a/; }", ""),
    (SERVED, "location /m/ { root /srv/$cookie_x; }", ""),
    (SERVED, "if ($request_uri ~ ^/x/(.*)$) { set $f $1; } location /x/ { try_files /$f =404; }", ""),
    ("cannot-tell", "auth_request_set $folder $upstream_http_x; location /m/ { root $folder; }", ""),
    ("cannot-tell", "set $a $b; set $b $a; location /m/ { root $a; }", ""),
    (RIGHT, "location /m/ { alias $folder; }", "map $host $folder { default /srv/; a.example /srv/a/; }"),
    (RIGHT, r"if ($host ~ ^(\w+)\.example\.org$) { set $f $1; } location /x/ { root /srv/$f; }", ""),
    (RIGHT, "location /m/ { root /srv/$host; }", ""),
    # What is around the server
    (SERVED, "", "root /etc;"),
)  # fmt: skip
PUBLISHED += tuple(
    edit(finds, (SITE, CLIENT, f"{CLIENT}\n{inside}"), (SITE, "server {", f"{before}\nserver {{"))
    for finds, inside, before in FOLDERS
)
INCLUDED_OWNER = "jitsi/jicofo/owner"
OPEN_OWNER = "jicofo { authentication.enabled = false, conference.enable-auto-owner = true }"
JICOFO_INCLUDES = (
    *(edit("cannot-tell", (JICOFO, "", f"include {what}\n")) for what in ('required("owner.conf")', 'required(file("/etc/jitsi/jicofo/owner"))', 'file("/srv/jitsi/owner.conf")', '"../../../owner.conf"')),
    *(edit("auto-owner", (JICOFO, "", f"include {what}\n"), files={f"{INCLUDED_OWNER}.conf": OPEN_OWNER}) for what in ('"owner"', 'file("owner")', 'required("owner.conf")', 'file("/etc/jitsi/jicofo/owner")')),
    edit("auto-owner", (JICOFO, "", 'include "owner"\n'), files={f"{INCLUDED_OWNER}.json": '{"jicofo": {"authentication": {"enabled": false}, "conference": {"enable-auto-owner": true}}}'}),
    edit(RIGHT, (JICOFO, "", 'include "owner"\n'), files={f"{INCLUDED_OWNER}.json": OPEN_OWNER, f"{INCLUDED_OWNER}.conf": "jicofo { authentication.enabled = true, conference.enable-auto-owner = false }"}),
    edit("cannot-tell", (JICOFO, "", 'include "owner"\n'), files={f"{INCLUDED_OWNER}.properties": "jicofo.conference.enable-auto-owner=true\n"}),
    edit(RIGHT, (JICOFO, "", 'include "owner"\ninclude file("/etc/jitsi/jicofo/owner.conf")\n')),
)  # fmt: skip
OLD_SOURCES = (
    edit("cannot-tell", (OLD, "", f"{DISABLE}: false\n")),
    edit("cannot-tell", (OLD, "", f"{DISABLE} false\n")),
    edit("cannot-tell", (OLD, "", f"  {DISABLE} = \\\n  false\n")),
    edit("cannot-tell", (OLD, "", "org.jitsi.jicofo.DISABLE\\u005fAUTO_OWNER=false\n")),
    edit("cannot-tell", (OLD, "", "org.jitsi.jicofo.auth.URL=shibboleth:default\n")),
    edit("cannot-tell", (OLD, "", f"{DISABLE}=true\n"), (JICOFO, "enable-auto-owner: false", "enable-auto-owner: true")),
    edit("auto-owner", (OLD, "", "! comment\n"), (JICOFO, "enabled: true", "enabled: false"), (JICOFO, "enable-auto-owner: false", "")),
    edit(RIGHT, (OLD, "", f"# {DISABLE}: false\n! {DISABLE}=false\n")),
    edit(RIGHT, (OLD, "", f"org.jitsi.jicofo.auth.URL=XMPP:meet.example.org\n{DISABLE}=true\n"), (JICOFO, "enabled: true", ""), (JICOFO, "enable-auto-owner: false", "")),
    edit("auto-owner", (START, "", 'JAVA_SYS_PROPS="-Djicofo.conference.enable-auto-owner=true -Djicofo.authentication.enabled=false"\n')),
    edit("auto-owner", (START, "", "JICOFO_OPTS='-Djicofo.authentication.enabled=false -Djicofo.conference.enable-auto-owner=on'\n")),
    edit("auto-owner", ("default/jicofo", "", "JAVA_SYS_PROPS=-Djicofo.authentication.type=NONE\nX=-Djicofo.conference.enable-auto-owner=yes\n")),
    edit("cannot-tell", (START, "", "JAVA_SYS_PROPS=-Dconfig.file=/etc/jitsi/jicofo/other.conf\n")),
    edit("cannot-tell", (START, "", "JAVA_SYS_PROPS=-Dconfig.file=$CONF\n")),
    edit("cannot-tell", (START, "", "JAVA_SYS_PROPS=-Dconfig.url=http://example.org/\n")),
    edit("cannot-tell", (START, "", "JAVA_SYS_PROPS=-Djicofo.conference.enable-auto-owner=$OWNER\n")),
    edit("cannot-tell", (START, "", "export CONFIG_FORCE_jicofo_conference_enable__auto__owner=true\n")),
    edit("cannot-tell", ("systemd/system/jicofo.service.d/own.conf", "", '[Service]\nEnvironment="X=-Dorg.jitsi.jicofo.DISABLE_AUTO_OWNER=false"\n')),
    edit(RIGHT, (START, "", '# -Djicofo.conference.enable-auto-owner=true\nJAVA_SYS_PROPS="-Dconfig.file=/etc/jitsi/jicofo/jicofo.conf -Xmx3072m"\n')),
    edit("bridge-rest-open", ("jitsi/videobridge/config", "", "X=-Dvideobridge.http-servers.private.host=0.0.0.0\n"), severity="warning"),
)  # fmt: skip
FRONT_SERVERS = (
    edit("jicofo-rest-on-web", files={"caddy/Caddyfile": "meet.example.org {\n reverse_proxy /debug* 127.0.0.1:8888\n}\n"}),
    edit("jicofo-rest-on-web", files={"caddy/Caddyfile": "meet.example.org {\n handle /x/* {\n  reverse_proxy {\n   to jicofo:8888\n  }\n }\n}\n"}),
    edit("bridge-rest-on-web", files={"caddy/conf.d.caddy": "x.example.org {\n reverse_proxy localhost:8080\n}\n"}),
    edit("cannot-tell", files={"caddy/Caddyfile": "meet.example.org {\n reverse_proxy 127.0.0.1:5280\n}\n"}),
    edit(RIGHT, files={"caddy/Caddyfile": "meet.example.org {\n reverse_proxy /http-bind 127.0.0.1:5280\n reverse_proxy web:8000\n}\n"}),
    edit("jicofo-rest-on-web", files={"haproxy/haproxy.cfg": "frontend f\n bind :443 ssl crt x\n default_backend j\nbackend j\n server s 127.0.0.1:8888\n"}),
    edit("jicofo-rest-on-web", files={"haproxy/haproxy.cfg": "listen f\n bind :443 ssl crt x\n server s [::1]:8888 check\n"}),
    edit("cannot-tell", files={"haproxy/haproxy.cfg": "backend j\n server s 127.0.0.1:5280\n"}),
    edit(RIGHT, files={"haproxy/haproxy.cfg": "frontend f\n bind :5280\n acl bosh path_beg /http-bind /xmpp-websocket\n use_backend b if bosh\nbackend b\n server s 127.0.0.1:5280\n"}),
    edit("jicofo-rest-on-web", files={"apache2/sites-enabled/m.conf": '<VirtualHost *:443>\n ProxyPass "/j/" "http://localhost:8888/"\n</VirtualHost>\n'}),
    edit("jicofo-rest-on-web", files={"httpd/conf.d/m.conf": "<Location /j>\n RewriteRule ^/j/(.*) http://127.0.0.1:8888/$1 [P]\n</Location>\n"}),
    edit("cannot-tell", files={"apache2/sites-enabled/m.conf": "<VirtualHost *:443>\n ProxyPass / http://127.0.0.1:5280/\n</VirtualHost>\n"}),
    edit(RIGHT, files={"apache2/sites-enabled/m.conf": "<VirtualHost *:443>\n ProxyPass /http-bind http://127.0.0.1:5280/http-bind\n ProxyPass /xmpp-websocket ws://127.0.0.1:5280/xmpp-websocket\n</VirtualHost>\n"}),
    edit("jicofo-rest-on-web", files={"traefik/dynamic/j.yml": "http:\n  services:\n    j:\n      loadBalancer:\n        servers:\n          - url: http://jicofo:8888\n"}),
    edit("jicofo-rest-on-web", files={"traefik/dynamic.toml": '[[http.services.j.loadBalancer.servers]]\n  url = "http://127.0.0.1:8888"\n'}),
    edit("jicofo-rest-on-web", files={"envoy.yaml": "address:\n  socket_address:\n    address: jicofo\n    port_value: 8888\n"}),
)  # fmt: skip
PORTS = (
    edit("jicofo-rest-on-web", (JICOFO, "", "jicofo { rest { port = 18888 } }\n"), (SITE, "", SECOND.format("/", 18888))),
    edit("jicofo-rest-on-web", (JICOFO, "", 'jicofo.rest.port = "18888"\n'), (SITE, "", SECOND.format("/x/", 18888))),
    edit("jicofo-rest-on-web", (JICOFO, "", "jicofo.rest.tls.port = 18889\n"), (SITE, "", SECOND.format("/x/", 18889))),
    edit("bridge-rest-on-web", (JVB, "host = 127.0.0.1", "host = 127.0.0.1, port = 18080"), (SITE, "", SECOND.format("/", 18080))),
    edit("cannot-tell", (MAIN, "https_ports = { }", "https_ports = { }\nhttp_ports = { 15280 }"), (SITE, "", SECOND.format("/", 15280))),
    edit("cannot-tell", (MAIN, "https_ports = { }", "https_ports = { }\nc2s_ports = { 15222 }"), ("nginx/nginx.conf", "", "stream { server { listen 1; proxy_pass 127.0.0.1:15222; } }\nhttp { include sites-enabled/*; }\n")),
    edit("cannot-tell", (JICOFO, "", "jicofo.rest.port = ${PORT}\n")),
    edit(RIGHT, (SITE, "", SECOND.format("/", 18888))),
)  # fmt: skip
# Blocks of a stream, and locations of the client's server or of another one, with what belongs around the server.
STREAMS = tuple(
    edit(finds, ("nginx/nginx.conf", "", f"stream {{ {text} }}\nhttp {{ include sites-enabled/*; }}\n"))
    for finds, text in (
        ("jicofo-rest-on-web", "map $remote_addr $b { default 127.0.0.1:8888; } server { listen 1; proxy_pass $b; }"),
        ("jicofo-rest-on-web", "map $ssl_preread_server_name $b { a 127.0.0.1:4444; b j; } upstream J { server x:8888; } server { proxy_pass $b; }"),
        ("jicofo-rest-on-web", "geo $p { default 8888; } server { listen 1; proxy_pass 127.0.0.1:$p; }"),
        ("jicofo-rest-on-web", "server { listen 1; set $b j:8888; proxy_pass $b; }"),
        ("cannot-tell", "server { listen 8888; proxy_pass localhost:$server_port; }"),
        ("cannot-tell", "server { listen 1; proxy_pass $b; }"),
        ("cannot-tell", "server { listen 1; proxy_pass unix:/run/x; }"),
        ("cannot-tell", "upstream j { server unix:/run/x:1; } server { listen 1; proxy_pass j; }"),
        ("cannot-tell", "map $remote_addr $b { default 127.0.0.1:4444; ~x $c; } server { proxy_pass $b; }"),
        (RIGHT, "map $ssl_preread_server_name $b { a w; b 127.0.0.1:4444; } upstream w { server w:443; } server { proxy_pass $b; }"),
    )
)  # fmt: skip
CHALLENGE = "location {} {{ proxy_pass http://127.0.0.1:{}; }}"
PASSED = (
    *(edit(finds, (SITE, "access_log off;\n", f"access_log off;\n{location}\n"), (SITE, "", around))
      for finds, location, around in (
        ("jicofo-rest-on-web", "location /x/ { proxy_pass http://j; }", "upstream J { server 127.0.0.1:8888; }\n"),
        ("jicofo-rest-on-web", "location /x/ { proxy_pass http://$b; }", "map $arg_a $b { x J; }\nupstream j { server 127.0.0.1:8888; }\n"),
        ("jicofo-rest-on-web", CHALLENGE.format("~ /.well-known/acme-challenge|/conference-request", 8888), ""),
        ("jicofo-rest-on-web", CHALLENGE.format("/.well-known/acme-challenge/", 8888), ""),
        ("bridge-rest-on-web", CHALLENGE.format("/.well-known/acme-challenge/", 8080), ""),
        ("cannot-tell", CHALLENGE.format("/.well-known/acme-challenge/", 5280), ""),
        ("cannot-tell", CHALLENGE.format("~ /.well-known/acme-challenge|/x", 9999), ""),
        ("cannot-tell", "location ~ /.well-known/acme-challenge|/x { fastcgi_pass 127.0.0.1:9; }", ""),
        (RIGHT, CHALLENGE.format("/.well-known/acme-challenge/", 9999), ""),
        (RIGHT, "location ^~ /.well-known/acme-challenge/ { content_by_lua_file x.lua; }", ""),
        (RIGHT, "location = /http-bind { proxy_pass http://$b; }", "map $arg_a $b { default p:5280; }\n"),
    )),
    *(edit(finds, (SITE, "", f"{around}\nserver {{ listen 8443 ssl; location / {{ proxy_pass {target}; }} }}\n"))
      for finds, around, target in (
        ("jicofo-rest-on-web", "map $host $p { default 8888; }", "http://127.0.0.1:$p"),
        ("jicofo-rest-on-web", "map $host $p { a 3000; b 8888; }", "http://127.0.0.1:$p"),
        ("jicofo-rest-on-web", "map $host $b { a http://a:1; b http://b:8888/x; }", "$b"),
        ("cannot-tell", "", "http://127.0.0.1:$arg_p"),
        ("cannot-tell", "", "http://$arg_p:3000"),
        (RIGHT, "map $host $p { a 3000; }", "http://127.0.0.1:$p"),
        (RIGHT, "", "http://unix:/run/other.sock"),
        (RIGHT, "", "http://$host:3000"),
    )),
)  # fmt: skip
FEDERATION = (
    edit("s2s-open", (MAIN, '"s2s"; ', ""), (MAIN, "https_ports = { }", "https_ports = { }\ns2s_ports = { }\ns2s_direct_tls_ports = { 5270 }")),
    edit("s2s-open", (MAIN, '"s2s"; ', ""), (MAIN, "https_ports = { }", 'https_ports = { }\ns2s_interfaces = { "127.0.0.1" }\ns2s_direct_tls_ports = 5270')),
    edit("s2s-open", (MAIN, '"s2s"; ', ""), (MAIN, "https_ports = { }", 'https_ports = { }\ns2s_interfaces = { "127.0.0.1", "*" }')),
    edit(RIGHT, (MAIN, '"s2s"; ', ""), (MAIN, "https_ports = { }", "https_ports = { }\ns2s_ports = { }")),
    edit(RIGHT, (MAIN, '"s2s"; ', ""), (MAIN, "https_ports = { }", 'https_ports = { }\ns2s_ports = { }\ns2s_direct_tls_interfaces = { "::1" }\ns2s_direct_tls_ports = { 5270 }')),
)  # fmt: skip
SWITCHED_OFF = (
    edit(RIGHT, (HOST, "", GUEST + "false\n")),
    edit("guest-vhost", (HOST, "", GUEST + "true\n")),
    edit("guest-vhost", (HOST, "", GUEST + '"false"\n')),  # a text is not false
    edit("guest-vhost", (HOST, "", GUEST + "nil\n")),
    edit("guest-vhost", (HOST, "", GUEST + "os.getenv('X')\n")),
    edit(RIGHT, (HOST, "", 'Component "open.example.org" "muc"\n    enabled = false\n')),
    edit("room-creation-open", (HOST, "", 'Component "open.example.org" "muc"\n    enabled = 0\n')),
    edit("cannot-tell", (HOST, LOGIN, "enabled = false\n    " + LOGIN), ("prosody/conf.d/x.cfg.lua", "", "enabled = false\n")),
)  # fmt: skip
ANSWERING = (
    edit("http-without-token", (HOST, MUC, f'{MUC}"turncredentials_http"; '), severity="warning"),
    edit("http-without-token", (HOST, '"bosh"', '"muc_password_check"; "bosh"'), (HOST, "main_muc", 'enable_password_token_verification = "false"\n    main_muc'), severity="warning"),
    edit("http-without-token", (HOST, '"bosh"', '"muc_password_check"; "bosh"'), (MAIN, "https_ports", "enable_password_token_verification = false\nhttps_ports"), severity="warning"),
    edit("rooms-counted", (HOST, MUC, f'{MUC}"muc_size"; '), severity="warning"),
    env("http-without-token", "XMPP_MODULES=even_logins,turncredentials_http\n", "warning"),
    env("http-without-token", "XMPP_MODULES=muc_password_check\nXMPP_CONFIGURATION=enable_password_token_verification=false\n", "warning"),
)  # fmt: skip
ELSEWHERE = (
    edit("cannot-tell", (CONFIG, "domain: 'meet.example.org'", "domain: 'other.example.org'")),
    edit("cannot-tell", (CONFIG, "domain: 'meet.example.org'", "domain: 'meet.example.org', anonymousdomain: 'guest.meet.example.org'")),
    edit(RIGHT, (CONFIG, "domain: 'meet.example.org'", "domain: 'Meet.Example.org'")),
    edit("guest-vhost", (HOST, "", GUEST.replace("guest.example", "Guest.Example") + "true\n")),
)  # fmt: skip
CLEARTEXT = (
    env("cleartext-login", "PROSODY_C2S_REQUIRE_ENCRYPTION=0\n", "warning"),
    env("cleartext-login", "PROSODY_C2S_REQUIRE_ENCRYPTION=false\n", "warning"),
    env("cannot-tell", "PROSODY_C2S_REQUIRE_ENCRYPTION=off\n"),
)
MATRIX = (
    env("module-unknown", "AUTH_TYPE=hybrid_matrix_token\nMATRIX_LOBBY_BYPASS=1\n"),
    env("module-unknown", "AUTH_TYPE=hybrid_matrix_token\nMATRIX_UVS_SYNC_POWER_LEVELS=1\n"),
    env("module-unknown", "AUTH_TYPE=jwt\nJWT_TOKEN_AUTH_MODULE=own_check\n"),
)


@pytest.mark.parametrize(
    "variant",
    [*NAMES, *TOKEN_KEYS, *ALLOW_LIST, *SECRETS, *JICOFO_INCLUDES, *PUBLISHED, *OLD_SOURCES, *FRONT_SERVERS, *PORTS, *FEDERATION, *SWITCHED_OFF, *ANSWERING,
     *ELSEWHERE, *CLEARTEXT, *STREAMS, *PASSED, *MATRIX],
    ids=str,
)  # fmt: skip
def test_each_form_of_a_mistake_is_found_and_what_is_right_is_not(variant: Variant, tmp_path: Path):
    root = clean(variant.form, tmp_path)
    if variant.form == "docker":
        names = {"MATRIX_LOBBY_BYPASS", "MATRIX_UVS_SYNC_POWER_LEVELS", "PROSODY_C2S_REQUIRE_ENCRYPTION", "JWT_ASAP_KEYSERVER", "JWT_TOKEN_AUTH_MODULE"}  # fmt: skip
        compose = root / "docker-compose.yml"
        text = "".join(f"      - {name}\n" for name in sorted(names))
        compose.write_text(compose.read_text().replace("      - AUTH_TYPE\n", "      - AUTH_TYPE\n" + text, 1))
    variant.apply(root)
    result = check([root])
    found = {finding.id for finding in result.findings if finding.severity == variant.severity}
    if variant.finds:
        assert variant.finds in found
    else:
        assert found - {"token-url-missing"} == set()


def test_a_private_port_is_open_only_where_prosody_is_told_so(tmp_path: Path):
    root = clean("debian", tmp_path)
    (root / MAIN).write_text((root / MAIN).read_text().replace('http_interfaces = { "127.0.0.1", "::1" }\n', ""))
    assert "http-open" not in {finding.id for finding in check([root]).findings}


def test_an_audience_of_ones_own_is_no_finding(tmp_path: Path):
    """By variable and by file."""
    for form, file, old, new in (
        ("docker", ".env", "AUTH_TYPE=internal", "AUTH_TYPE=jwt\nJWT_ACCEPTED_AUDIENCES=meet"),
        ("debian", HOST, INTERNAL, TOKENS),
    ):
        root = clean(form, tmp_path)
        path = root / file
        path.write_text(path.read_text().replace(old, new, 1))
        assert "token-any-audience" not in {finding.id for finding in check([root]).findings}
