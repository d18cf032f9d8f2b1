"""nginx as a plain process on loopback, which writes only below one folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FRAME = """
{outside}
{user} daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events { }
http {
  access_log off; include /etc/nginx/mime.types;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  {http}
}
"""


class NginxError(Exception):
    """nginx does not start; the message says what it says."""


def program() -> str | None:
    """Return the path of nginx; Debian has it where a person's PATH does not lead."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


def start(nginx: str, folder: Path, http: str, *, outside: str = "") -> tuple[subprocess.Popen[bytes], str]:
    """Start nginx with this content of its ``http`` block; returns the process and the address.

    ``{port}``, ``{folder}`` and ``{site}``, which is ``folder/site``, are replaced; ``outside`` comes before all blocks.
    Raises NginxError.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Workers as root, where we are root: pytest's folders are closed to everybody else.
    user = "user root;" if os.getuid() == 0 else ""
    text = FRAME.replace("{outside}", outside).replace("{http}", http)
    for name, value in {"user": user, "folder": folder, "site": folder / "site", "port": port}.items():
        text = text.replace(f"{{{name}}}", str(value))
    (folder / "nginx.conf").write_text(text)
    log = folder / "error.log"
    server = subprocess.Popen([nginx, "-c", folder / "nginx.conf", "-e", log], stderr=subprocess.DEVNULL)
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return server, f"http://127.0.0.1:{port}"
        if server.poll() is not None:
            raise NginxError(f"nginx does not start: {log.read_text()}")
        time.sleep(0.01)


def stop(server: subprocess.Popen[bytes]) -> None:
    """End it and wait for that."""
    server.terminate()
    server.wait()


@contextlib.contextmanager
def serving(nginx: str, folder: Path, http: str, *, outside: str = "") -> Iterator[str]:
    """Serve as :func:`start` does, and stop at the end; yields the address."""
    server, address = start(nginx, folder, http, outside=outside)
    try:
        yield address
    finally:
        stop(server)
