"""hardener: from a pinned Jitsi Meet to a hardened web bundle."""

from __future__ import annotations

__version__ = "0.1.0"
