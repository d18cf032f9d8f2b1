"""All sessions. ``nox -l`` lists them, ``nox -s build -- --help`` prints the options of one.

Every session runs the package in the project's own environment, which uv brings up to date from uv.lock first.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2026.10.20"
nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "test"]

ROOT = Path(__file__).parent
DEMO = ROOT / "tests" / "minimeet"
# One worker more than processors: most tests wait a while for a browser or a server (tests/support/sharing_out.py).
PYTEST = (
    "pytest",
    f"--numprocesses={(os.cpu_count() or 1) + 1}",
    "--dist=loadfile",
    "--no-loadscope-reorder",
    "--durations=20",
)


def run(session: nox.Session, *words: str, **settings: str) -> None:
    """Run a command in the project's environment, which uv.lock defines."""
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if not uv:
        session.error("uv is not installed. Run 'make setup' (or: pip install uv)")
    # Where Python may not keep what it compiled, each start of hardener takes twice as long; the tests start it often.
    env = {"PYTHONDONTWRITEBYTECODE": None} | settings
    session.run(uv, "run", "--locked", "--project", str(ROOT), *words, env=env, external=True, silent=False)


@nox.session(default=False)
def build(session: nox.Session) -> None:
    """Build the hardened archive of real Jitsi Meet into dist/ (options: nox -s build -- --help)."""
    run(session, "hardener", "build", *session.posargs)


@nox.session(default=False)
def check(session: nox.Session) -> None:
    """Apply all series and overlays and check every patch, without building (nox -s check -- --tree master)."""
    run(session, "hardener", "check", *session.posargs)


@nox.session(default=False)
def edit(session: nox.Session) -> None:
    """Open a component's series as commits, to edit with git (nox -s edit -- jitsi-meet)."""
    run(session, "hardener", "edit", *session.posargs)


@nox.session(default=False)
def dev(session: nox.Session) -> None:
    """Open a component's series, show its site, and build it again at each save (nox -s dev -- jitsi-meet)."""
    run(session, "hardener", "dev", *session.posargs)


@nox.session(default=False)
def regen(session: nox.Session) -> None:
    """Write the series back in canonical form, and the table of patches/README.md."""
    run(session, "hardener", "regen", *session.posargs)


@nox.session(default=False)
def explain(session: nox.Session) -> None:
    """Find what this project does about a host, file, patch, key or module (nox -s explain -- WORD)."""
    run(session, "hardener", "explain", *session.posargs)


@nox.session(default=False)
def drift(session: nox.Session) -> None:
    """Compare the series with upstream's releases (a range: nox -s drift -- --range 9000..)."""
    run(session, "hardener", "drift", *session.posargs)


@nox.session(default=False)
def outdated(session: nox.Session) -> None:
    """List upstream's stable releases that are newer than the pins (exit code 9 where there is one)."""
    run(session, "hardener", "outdated", *session.posargs)


@nox.session(default=False)
def upstream(session: nox.Session) -> None:
    """Make a patch into a branch, a mail and a pull request for upstream (nox -s upstream -- PATCH)."""
    run(session, "hardener", "upstream", *session.posargs)


@nox.session(default=False)
def lift(session: nox.Session) -> None:
    """Move the pins and the series to another release (nox -s lift -- --to REF; docs/maintaining.md#lift)."""
    run(session, "hardener", "lift", *session.posargs)


@nox.session(default=False)
def delta(session: nox.Session) -> None:
    """Say what upstream brings between two releases (nox -s delta -- pin REF)."""
    run(session, "hardener", "delta", *session.posargs)


@nox.session(default=False)
def compare(session: nox.Session) -> None:
    """Build with Rspack and with upstream's webpack, and compare (before each release: -- --twice)."""
    run(session, "hardener", "compare", *session.posargs)


@nox.session(default=False)
def doctor(session: nox.Session) -> None:
    """List missing prerequisites and how to install them."""
    run(session, "hardener", "doctor", *session.posargs)


@nox.session(default=False)
def sbom(session: nox.Session) -> None:
    """Write the bill of materials of the built site into dist/."""
    run(session, "hardener", "sbom", *session.posargs)


@nox.session(default=False)
def release(session: nox.Session) -> None:
    """Build, check all gates, and write a release into dist/ (nox -s release -- --dry-run)."""
    run(session, "hardener", "release", *session.posargs)


@nox.session(default=False)
def verify(session: nox.Session) -> None:
    """Check released files, and build them again for a comparison (nox -s verify -- DIR)."""
    run(session, "hardener", "verify", *session.posargs)


@nox.session(default=False)
def demo(session: nox.Session) -> None:
    """Build the embedded demo upstream; this needs only package registries."""
    run(session, "python", str(DEMO / "demo.py"), *session.posargs)


@nox.session(default=False)
def baseline(session: nox.Session) -> None:
    """Build upstream as it is and write its sizes to baseline.json, for the summary."""
    run(session, "hardener", "build", "--unpatched", "--write-baseline", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, types, imports, wording and workflows: ruff, mypy --strict, import-linter, wordlist.toml, zizmor."""
    run(session, "python", str(ROOT / "tests" / "support" / "linting.py"))


@nox.session
def test(session: nox.Session) -> None:
    """Run all tests; what cannot run here is skipped with its reason and counted (in one process: -- -n 0)."""
    run(session, *PYTEST, *session.posargs)


@nox.session(name="check-fast", default=False)
def check_fast(session: nox.Session) -> None:
    """Run lint and the unit tests that need neither servers, browsers, nor hundreds of processes."""
    lint(session)
    run(session, *PYTEST, "-m", "not processes", "build/hardener", "tests/unit", *session.posargs)


@nox.session(default=False)
def e2e(session: nox.Session) -> None:
    """Run the browser tests on the built bundle (needs nginx and chromium; calls need Docker; other browsers: --
    --browsers chromium,firefox,webkit).
    """
    run(session, *PYTEST, "tests/e2e", *session.posargs)


@nox.session(default=False)
def ablate(session: nox.Session) -> None:
    """Leave out one patch at a time and expect its test to fail (needs nginx and chromium; about half a minute a
    patch).
    """
    run(session, "hardener", "ablate", *session.posargs)


@nox.session(default=False)
def evidence(session: nox.Session) -> None:
    """Record in a sealed network which hosts the bundle contacts; the unpatched one must leak (root)."""
    run(session, "hardener", "build")
    run(session, "hardener", "build", "--unpatched")
    sites = (".work/hardened/site", "--control", ".work/unpatched/site")
    run(session, "hardener", "evidence", *sites, *session.posargs)


@nox.session(default=False)
def report(session: nox.Session) -> None:
    """Assess the built site as traffic lights (nox -s report -- --operator FILE --pdf; docs/dpo.md)."""
    run(session, "hardener", "assess", "bundle", ".work/hardened/site", "--full", *session.posargs)


@nox.session(default=False)
def nginx(session: nox.Session) -> None:
    """Write the nginx snippets (nox -s nginx -- DIR --embed https://portal.example.org)."""
    run(session, "hardener", "nginx", *session.posargs)


@nox.session(name="check-server", default=False)
def check_server(session: nox.Session) -> None:
    """Check a server's configuration and list what it leaves open (nox -s check-server -- /etc)."""
    run(session, "hardener", "check-server", *session.posargs)


@nox.session(default=False)
def serve(session: nox.Session) -> None:
    """Show the built site to the browsers of this machine, with the headers of build/nginx (-- --port N)."""
    run(session, "hardener", "serve", *session.posargs)


@nox.session(default=False)
def stack(session: nox.Session) -> None:
    """Run the bundle with an XMPP server in containers: nox -s stack -- up|down|logs|status."""
    run(session, "hardener", "stack", *session.posargs)


@nox.session(default=False)
def attack(session: nox.Session) -> None:
    """Try to get in without a login: test stacks, or your own server (-- URL --domain D)."""
    run(session, "hardener", "attack", *(session.posargs or ["--stack"]))


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Compare our build with upstream's own, in one run (options: nox -s bench -- --help)."""
    run(session, "python", str(ROOT / "tests" / "bench" / "bench.py"), *session.posargs, PYTHONPATH=str(ROOT / "tests"))
