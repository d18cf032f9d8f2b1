"""hardener dev: each save is built and shown, what does not build is reported, and the old site stays."""

from __future__ import annotations

import re
import signal
import urllib.request
from typing import TYPE_CHECKING

from hardener.proof.web.live import SCRIPT

from .conftest import DEMO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Minimeet, Running

AVATAR = "react/features/base/avatar/functions.ts"
ABOUT = "static/about.html"


def fetched(url: str) -> tuple[str, str]:
    """Return a page of the site and its policy."""
    with urllib.request.urlopen(url, timeout=60) as reply:
        return reply.read().decode(), reply.headers["Content-Security-Policy"]


def address(running: Running) -> str:
    """Return the address of the site, once the first build has ended."""
    running.until_said("http://")
    found = re.search(r"http://127\.0\.0\.1:\d+", running.said)
    assert found
    return found[0]


def events(url: str) -> Iterator[str]:
    """Yield the keys of the sites that are built."""
    with urllib.request.urlopen(f"{url}/.hardener-dev/events", timeout=120) as stream:
        for line in stream:
            if line.startswith(b"data: "):
                yield line.decode().removeprefix("data: ").strip()


def test_each_save_is_shown_and_an_error_is_not(minimeet: Minimeet) -> None:
    """The patched tree is shown, an uncommitted edit and one of an overlay, but no type error; Ctrl-C ends it."""
    tree = minimeet.root / ".work/edit/minimeet"
    with minimeet.start("dev", "minimeet") as running:
        url = address(running)
        keys = events(url)
        first = next(keys)
        page, policy = fetched(f"{url}/{ABOUT}")
        assert f'<script src="{SCRIPT}?{first}"' in page
        assert "script-src 'self'" in policy
        assert "connect-src 'self'" in policy

        about = tree / ABOUT
        about.write_text(about.read_text("utf-8").replace("</main>", "<p>edited</p></main>"), "utf-8")
        second = next(keys)
        assert second != first
        page, _ = fetched(f"{url}/{ABOUT}")
        assert "<p>edited</p>" in page

        functions = tree / AVATAR
        right = functions.read_text("utf-8")
        functions.write_text(right + "\nexport const wrong: number = '';\n", "utf-8")
        running.until_said("error: minimeet: 1 type error(s) in our files")
        running.until(lambda: "site of the last build is still shown" in running.said)
        page, _ = fetched(f"{url}/{ABOUT}")
        assert f"{SCRIPT}?{second}" in page

        functions.write_text(right, "utf-8")
        minimeet.edit("overlays/minimeet/index.html", "</body>", "<p>overlaid</p></body>")
        assert next(keys) not in {first, second}
        page, _ = fetched(f"{url}/")
        assert "<p>overlaid</p>" in page

        busy = minimeet.run("dev", "minimeet")
        assert (busy.code, "another 'hardener dev' runs" in busy.answer["error"]) == (75, True)
        running.signal(signal.SIGINT)
        ended = running.end()
    assert ended.code == 130, ended.stderr
    assert "then: hardener regen minimeet" in " ".join(ended.stderr.split())
    assert SCRIPT not in (minimeet.root / ".work/dev/site" / ABOUT).read_text("utf-8"), "no built site has the script"
    assert not minimeet.dist.exists()
    assert "<p>edited</p>" in about.read_text("utf-8"), "the work is still there"


def test_a_taken_port_and_a_series_that_does_not_fit_are_reported_at_once(minimeet: Minimeet) -> None:
    taken = minimeet.run("dev", "minimeet", "--port", "1000000")
    assert (taken.code, "cannot listen on 127.0.0.1:1000000" in taken.answer["error"]) == (8, True)
    name = "patches/minimeet/privacy-avatar-own-origin.patch"
    assert (DEMO / "project" / name).exists()
    minimeet.edit(name, "-const AVATAR_SERVICE = 'https://avatars.example/avatar/';", "-const OTHER = 'x';")
    stopped = minimeet.run("dev", "minimeet")
    assert (stopped.code, "privacy-avatar-own-origin.patch does not fit" in stopped.answer["error"]) == (5, True)
    assert "git am --continue" in stopped.answer["hint"]
