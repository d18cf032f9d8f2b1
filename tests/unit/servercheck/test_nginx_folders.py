"""What nginx' directives publish, where there is more than can be read: that is said, and not left out."""

from __future__ import annotations

import pytest

from hardener.servercheck.deployments import nginx_site
from hardener.servercheck.readers import nginx

MANY = 400


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            "".join(f"location /l{number} {{ alias /srv/{number}/; rewrite ^/x(.*) /$1; }}" for number in range(MANY)),
            id="folders and paths that leave them",
        ),
        pytest.param("".join(f"set $a {number};" for number in range(MANY)) + "root /srv/$a;", id="values"),
        pytest.param("".join(f"set $v{n} $v{n + 1}$v{n + 1};" for n in range(MANY)) + "root /srv/$v0;", id="depth"),
        pytest.param(f"location ~ {'(' * 4_000} {{ alias /srv/$1; }}", id="expression"),
    ],
)
def test_what_is_too_much_to_be_compared_is_not_known(text: str):
    directives, _ = nginx.parse(f"server {{ {text} }}", "site.conf", lambda _pattern, _where: [])
    (site,) = nginx_site.sites(directives)
    assert site.published
    assert {published.known for published in site.published} == {False}
