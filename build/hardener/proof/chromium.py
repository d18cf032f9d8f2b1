"""Find Chromium on this machine, and start it with what costs least and does not change how a page behaves.

Debian has two: ``chromium``, the browser that people use, and ``chromium-headless-shell``, which has no user interface.
The shell is Playwright's own choice for a browser without a window. Tests of pages take a third less CPU time in it,
because the full browser also draws its own interface. Pages are handled by the same code in both.

The full browser is used where the browser itself is examined: for evidence, for profiles that are kept, and for calls
(in the shell, two browsers find no way to each other).
"""

from __future__ import annotations

import shutil

# Chromium loads the pop-ups of its address bar for each window, also without a screen; they cost as much as the page.
_POPUPS = ("WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup")
# Without it, a script is compiled in the background while it comes, also where the process has it compiled already.
_STREAMING = "ScriptStreaming"
# Chromium reads only the last list of features, so ours repeats those that Playwright turns off.
_PLAYWRIGHTS = (
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsUpgrades",
    "HttpsFirstBalancedModeAutoEnable",
    "LensOverlay",
    "MediaRouter",
    "PaintHolding",
    "ThirdPartyStoragePartitioning",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "TcpPortRandomizationWin",
    "OptimizationHints",
    "NetworkTimeServiceQuerying",
    "AimEnabled",
    "PreconnectToSearch",
)
# Camera and microphone need no hardware. The browser's own calls home must not be taken for those of the page.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    f"--disable-features={','.join((*_POPUPS, _STREAMING, *_PLAYWRIGHTS))}",
)
HINT = "apt-get install chromium chromium-headless-shell"


def browser() -> str:
    """Return the path of the full browser; empty where it is not installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or ""


def for_pages() -> str:
    """Return the path of the program that opens pages with the least CPU time; empty where there is none.

    >>> import unittest.mock
    >>> with unittest.mock.patch("shutil.which", {"chromium": "/usr/bin/chromium"}.get):
    ...     for_pages()
    '/usr/bin/chromium'
    >>> with unittest.mock.patch("shutil.which", str.upper):
    ...     for_pages(), browser()
    ('CHROMIUM-HEADLESS-SHELL', 'CHROMIUM')
    """
    return shutil.which("chromium-headless-shell") or browser()
