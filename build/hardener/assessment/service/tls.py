"""Ask a service for versions of TLS that are no longer allowed: handshakes only, without a certificate's check.

What a browser needs, it gets over the usual connections, whose certificates are checked (``client``).
"""

from __future__ import annotations

import socket
import ssl
import warnings
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

    Shake = Callable[[str, int, ssl.TLSVersion], bool | None]

# RFC 8996 and BSI TR-02102-2: not to be used.
OLD = {"TLS 1.0": ssl.TLSVersion.TLSv1, "TLS 1.1": ssl.TLSVersion.TLSv1_1}
_TIMEOUT = 15  # seconds


def handshake(host: str, port: int, version: ssl.TLSVersion) -> bool | None:
    """Return whether a server speaks a version; None where this machine cannot ask for it, or no answer comes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # nothing is sent over this connection
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of the versions, which is why they are asked for
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = version
        plain = socket.create_connection((host, port), timeout=_TIMEOUT)
        with plain, context.wrap_socket(plain, server_hostname=host):
            return True
    except ssl.SSLError as error:
        return None if error.reason in {"NO_PROTOCOLS_AVAILABLE", "NO_CIPHERS_AVAILABLE"} else False
    except ConnectionResetError:
        return False
    except (OSError, ValueError):
        return None


def offered(origin: str, spend: Callable[[int], None], shake: Shake = handshake) -> dict[str, Any]:
    """Return the old versions that the service of an origin speaks; ``asked`` is false where that is not known."""
    parts = urlsplit(origin)
    if parts.scheme != "https":
        return {"asked": False, "old": []}
    found = {}
    for name, version in OLD.items():
        spend(1)
        found[name] = shake(parts.hostname or "", parts.port or 443, version)
    return {"asked": None not in found.values(), "old": [name for name, spoken in found.items() if spoken]}
