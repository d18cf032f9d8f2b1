"""Where a stranger can write files through nginx, and where a login or a rule by address prevents it."""

from __future__ import annotations

import pytest

from hardener.servercheck.deployments import nginx_site
from hardener.servercheck.readers import nginx

DAV = "root /usr/share/jitsi-meet; dav_methods PUT DELETE;"
OPEN = {
    "location": f"location /up/ {{ {DAV} }}",
    "server": DAV,
    "nested locations": f"auth_basic x; location /a/ {{ location /a/b/ {{ auth_basic off; {DAV} }} }}",
    "everyone is allowed": f"location /up/ {{ {DAV} allow all; }}",
    "everyone is allowed first": f"location /up/ {{ {DAV} allow 0.0.0.0/0; deny all; }}",
    "one address is denied": f"location /up/ {{ {DAV} deny 192.0.2.66; }}",
    "address or login": f"location /up/ {{ {DAV} satisfy any; allow all; auth_basic x; }}",
    "this method is not limited": f"location /up/ {{ {DAV} limit_except PUT {{ deny all; }} }}",
    "limited to everyone": f"location /up/ {{ {DAV} limit_except GET {{ allow all; }} }}",
    "login that may be off": f"set $r off; location /up/ {{ {DAV} auth_basic $r; }}",
    "login off inside": f"auth_basic x; {DAV} location /up/ {{ auth_basic off; }}",
    "request off inside": f"auth_request /x; {DAV} location /up/ {{ auth_request off; }}",
    "address allowed inside": f"deny all; {DAV} location /up/ {{ allow all; }}",
}
CLOSED = {
    "login": f"location /up/ {{ {DAV} auth_basic x; }}",
    "login with the name of the host": f'location /up/ {{ {DAV} auth_basic "Files of $host"; }}',
    "login outside": f"auth_basic x; location /up/ {{ {DAV} }}",
    "named addresses": f"location /up/ {{ {DAV} allow 192.0.2.0/24; deny all; }}",
    "named addresses or login": f"location /up/ {{ {DAV} satisfy any; allow 192.0.2.7; deny all; auth_basic x; }}",
    "limited": f"location /up/ {{ {DAV} limit_except GET {{ deny all; }} }}",
    "internal": f"location /up/ {{ {DAV} internal; }}",
    "off inside": f"{DAV} location / {{ dav_methods off; }}",
    "login for all paths": f"{DAV} location / {{ auth_basic x; }}",
    "passed on": "dav_methods PUT; location / { proxy_pass http://127.0.0.1:5280; }",
}


def places(text: str) -> list[list[object]]:
    directives, _ = nginx.parse(text, "site.conf", lambda _pattern, _where: [])
    return [list(site.writable) for site in nginx_site.sites(directives)]


def server(text: str) -> str:
    return f"server {{ location / {{ root /usr/share/jitsi-meet; }} {text} }}"


@pytest.mark.parametrize("name", OPEN)
def test_a_place_where_a_stranger_can_write_is_found(name: str):
    (found,) = places(f"server {{ {DAV} }}" if name == "server" else server(OPEN[name]))
    assert found


@pytest.mark.parametrize("name", CLOSED)
def test_a_place_that_refuses_strangers_is_no_finding(name: str):
    text = CLOSED[name]
    (found,) = places(f"server {{ listen 443 ssl; root /usr/share/jitsi-meet; {text} }}")
    assert found == []


def test_a_login_around_all_servers_counts_for_each():
    text = f"http {{ auth_basic x; server {{ {DAV} }} }}"
    assert places(text) == [[]]


@pytest.mark.parametrize(
    ("root", "counts"),
    [
        ("/usr/share", True),
        ("/usr/share//jitsi-meet/static", True),
        ("$folder/jitsi-meet", True),
        ("/srv/files", False),
    ],
)
def test_another_server_counts_where_it_writes_into_the_folder_of_the_client(root: str, counts: bool):
    other = f"server {{ listen 8443 ssl; root {root}; dav_methods PUT; }}"
    _, found = places(f"http {{ {server('')} {other} }}")
    assert bool(found) == counts
