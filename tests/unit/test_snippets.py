"""snippets.py: the nginx snippets of a deployment, and one list of origins that may embed it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hardener import snippets
from hardener.errors import UsageError

NGINX = Path(__file__).parents[2] / "build" / "nginx"
PORTALS = ("https://portal.example.org", "https://intranet.example.org:8443")


def test_without_an_embedder_the_snippets_are_those_of_build_nginx(tmp_path: Path) -> None:
    names = snippets.write(tmp_path, ())
    optional = {"brotli/brotli.conf", "limits/limits.conf", "limits/zones.conf"}
    assert {"site.conf", "proxy.conf", "security-headers.conf"} | optional == set(names)
    assert all((tmp_path / name).read_bytes() == (NGINX / name).read_bytes() for name in names)


def test_each_header_of_ours_is_hidden_from_what_servers_behind_send() -> None:
    ours = set(re.findall(r"^add_header (\S+)", (NGINX / "security-headers.conf").read_text("utf-8"), re.MULTILINE))
    hidden = set(re.findall(r"^proxy_hide_header (\S+);", (NGINX / "proxy.conf").read_text("utf-8"), re.MULTILINE))
    assert ours
    assert ours - hidden == set()


def test_one_list_of_embedders_drives_all_headers(tmp_path: Path) -> None:
    snippets.write(tmp_path, PORTALS)
    headers, api = ((tmp_path / name).read_text() for name in ("security-headers.conf", "api-headers.conf"))
    assert "frame-ancestors 'self' https://portal.example.org https://intranet.example.org:8443\"" in headers
    assert "X-Frame-Options" not in headers + api
    assert "Cross-Origin-Resource-Policy same-origin" in headers
    assert "Cross-Origin-Resource-Policy cross-origin" in api
    site = (tmp_path / "site.conf").read_text()
    assert f'set $hardener_embedders "{" ".join(PORTALS)}";' in site
    assert site.count("api-headers.conf") == 1


@pytest.mark.parametrize(
    "origin",
    [
        *("*", "https://*", "https://*.example.org", "http://portal.example.org", "portal.example.org", "https:", ""),
        *(
            "https://portal.example.org/",
            "https://portal.example.org/x",
            "https://a b",
            "https://a;script-src *",
            "'self'",
        ),
        *(
            'https://a";',
            "https://a\n",
            "https://a$x",
            "https://user@a",
            "https://-a",
            "https://a:0",
            "HTTPS://A",
            "data:",
        ),
    ],
)
def test_what_is_no_origin_is_refused_and_nothing_is_written(tmp_path: Path, origin: str) -> None:
    with pytest.raises(UsageError, match="not an origin"):
        snippets.write(tmp_path / "new", (PORTALS[0], origin))
    assert not (tmp_path / "new").exists()
