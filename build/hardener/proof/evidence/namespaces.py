"""A sealed network of two namespaces: the browser's, whose only way out is a cable, and the wire's, at its other end.

    [ns browser  198.18.0.10] ---- veth ---- [ns wire: 198.18.0.1, and every other address there is]

In the wire namespace every address is local (Linux's AnyIP), so every address that the browser contacts is answered.
It is not connected to the machine's real network, so nothing can leak.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import shutil
import signal
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from hardener.errors import StackError
from hardener.system.process import run

if TYPE_CHECKING:
    from collections.abc import Callable

BROWSER = "198.18.0.10"
RESOLVER = "198.18.0.1"
OWN = "198.18.0.2"
FIRST_TARGET = "198.18.2.1"
FIRST_FOREIGN = "198.19.0.1"
_NEWNET = 0x40000000
_HINT = "run as root on Linux with iproute2 (apt-get install iproute2) where network namespaces are permitted"
_ETC = Path("/etc/netns")
_numbers = itertools.count(1)  # a run may have several networks side by side

T = TypeVar("T")


class SealedNetwork:
    """Context manager: makes both namespaces and the cable, and takes all of it away again."""

    def __init__(self) -> None:
        name = f"hev{os.getpid()}n{next(_numbers)}"  # a cable's name has 15 characters at most
        self.browser, self.wire = f"{name}b", f"{name}w"
        self.cable = f"{name}v"[:15]

    def __enter__(self) -> Self:
        ip = shutil.which("ip") or shutil.which("ip", path="/usr/sbin:/sbin")
        if not ip:
            raise StackError("iproute2 is not installed", hint=_HINT)
        self._ip = ip
        far = f"{self.cable[:-1]}w"
        try:
            for namespace in (self.browser, self.wire):
                self._do("netns", "add", namespace)
                self._do("-n", namespace, "link", "set", "lo", "up")
                self._in(namespace, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
            self._do("link", "add", self.cable, "netns", self.browser, "type", "veth", "peer", far, "netns", self.wire)
            for namespace, device, address in (
                (self.browser, self.cable, BROWSER),
                (self.wire, far, RESOLVER),
                (self.wire, far, OWN),
            ):
                self._do("-n", namespace, "addr", "add", f"{address}/24", "dev", device)
                self._do("-n", namespace, "link", "set", device, "up")
            self._do("-n", self.browser, "route", "add", "default", "via", RESOLVER)
            # In the main table, behind the cable's own route: in the table "local" it would catch the browser, too.
            self._do("-n", self.wire, "route", "add", "local", "default", "dev", "lo", "table", "main")
            self.far = far
            folder = _ETC / self.browser
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "resolv.conf").write_text(f"nameserver {RESOLVER}\noptions timeout:2 attempts:1\n")
            # The machine's own list may have names of the service, with addresses that are not in this network.
            (folder / "hosts").write_text("127.0.0.1 localhost\n")
            if Path("/etc/nsswitch.conf").exists():  # others, such as systemd's, ask outside of the namespace
                (folder / "nsswitch.conf").write_text("hosts: files dns\n")
        except OSError as error:
            self.__exit__()
            raise StackError(f"no network namespace here: {error.strerror}", hint=_HINT) from error
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        for namespace in (self.browser, self.wire):
            run((self._ip, "netns", "del", namespace))
        shutil.rmtree(_ETC / self.browser, ignore_errors=True)
        with contextlib.suppress(OSError):
            _ETC.rmdir()

    def end_browsers(self) -> None:
        """End all programs in the browser's namespace, so that whatever waits for them ends too."""
        for number in run((self._ip, "netns", "pids", self.browser)).text.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(number), signal.SIGKILL)

    def _do(self, *words: str) -> None:
        done = run((self._ip, *words))
        if done.status:
            raise StackError(f"no network namespace here: ip {' '.join(words)}: {done.complaint}", hint=_HINT)

    def _in(self, namespace: str, *words: str) -> None:
        self._do("netns", "exec", namespace, *words)

    def launcher(self, program: str, folder: Path) -> Path:
        """Return a script that starts a program in the browser's namespace, for callers that need a path."""
        script = folder / "chromium-in-namespace"
        script.write_text(f'#!/bin/sh\nexec {self._ip} netns exec {self.browser} {program} "$@"\n')
        script.chmod(0o755)
        return script

    def within(self, namespace: str, make: Callable[[], T]) -> T:
        """Call something (that makes a socket, say) inside a namespace; a socket stays where it was made."""
        answers: list[T] = []
        errors: list[BaseException] = []

        def enter() -> None:
            try:
                libc = ctypes.CDLL(None, use_errno=True)
                with Path(f"/run/netns/{namespace}").open("rb") as handle:
                    if libc.setns(handle.fileno(), _NEWNET):
                        raise StackError(f"cannot enter {namespace}: {os.strerror(ctypes.get_errno())}", hint=_HINT)  # noqa: TRY301
                answers.append(make())
            except BaseException as error:  # noqa: BLE001 (handed to the caller's thread)
                errors.append(error)

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        return answers[0]

    def tcp(self, address: str, port: int, *, inside: bool = False) -> socket.socket:
        """Return a listening TCP socket at the wire's end, or inside of the browser's namespace."""

        def make() -> socket.socket:
            listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # One address and "any address" may then share a port; the closer one gets the connection.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind((address, port))
            listener.listen(256)
            return listener

        return self.within(self.browser if inside else self.wire, make)

    def udp(self, address: str, port: int) -> socket.socket:
        """Return a bound UDP socket at the wire's end."""

        def make() -> socket.socket:
            endpoint = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            endpoint.bind((address, port))
            return endpoint

        return self.within(self.wire, make)

    def claim(self, address: str) -> None:
        """Give the wire's end one more address, so that datagrams to it can be answered from it."""
        self._do("-n", self.wire, "addr", "add", f"{address}/32", "dev", self.far)

    def tap(self) -> socket.socket:
        """Return a raw socket that gets a copy of every packet on the cable."""

        def make() -> socket.socket:
            endpoint = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0003))
            endpoint.bind((self.far, 0))
            endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 23)
            return endpoint

        return self.within(self.wire, make)

    def connect_browser(self, port: int) -> socket.socket:
        """Return a connection to a port on the loopback of the browser's namespace."""
        return self.within(self.browser, lambda: socket.create_connection(("127.0.0.1", port), timeout=10))
