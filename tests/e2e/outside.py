"""A host outside, for tests of egress: a network namespace behind a router (this machine) that notes who gets through.

It has the address that the containers' name server asks (192.0.2.1, RFC 5737), and knows the way back to
everybody, so that neither a missing translation of addresses nor a missing route hides a container that has a way out.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ADDRESS, ROUTER, NAME, LINK = "192.0.2.1", "192.0.2.2", "hardener-outside", "hardener-out"

# Answers no request; each line is one contact: how, and whence. 'ready' comes first.
LISTENER = """
import selectors, socket
address = __import__('sys').argv[1]
udp, tcp = socket.socket(type=socket.SOCK_DGRAM), socket.socket()
tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
for one in (udp, tcp):
    one.bind((address, 53))
tcp.listen()
both = selectors.DefaultSelector()
both.register(udp, selectors.EVENT_READ)
both.register(tcp, selectors.EVENT_READ)
print('ready', flush=True)
while True:
    for key, _ in both.select():
        if key.fileobj is udp:
            data, peer = udp.recvfrom(4096)
            print('udp', peer[0], data.hex(), flush=True)
        else:
            connection, peer = tcp.accept()
            print('tcp', peer[0], '', flush=True)
            connection.close()
"""

# Run in a container's network: a datagram, a question to Docker's name server, and a stream, all meant for the host
# outside. The question is for a name that carries the mark, so that contacts of others are not counted.
PROBE = """
import socket, struct, sys
address, mark = sys.argv[1:]
question = struct.pack('>6H', 7, 0x0100, 1, 0, 0, 0) + bytes([len(mark)]) + mark.encode() + b'\\x07example\\0' + struct.pack('>2H', 1, 1)
for target, kind in ((address, 'udp'), ('127.0.0.11', 'udp'), (address, 'tcp')):
    with socket.socket(type=socket.SOCK_DGRAM if kind == 'udp' else socket.SOCK_STREAM) as one:
        one.settimeout(1.5)
        try:
            one.connect((target, 53))
            if kind == 'udp':
                one.send(question)
                one.recv(4096)
            print(target, kind, 'through')
        except OSError as error:
            print(target, kind, error)
"""


def run(*words: str) -> str:
    """Run a program that has to succeed."""
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


class Outside:
    """The host outside while it listens."""

    def __init__(self, listener: subprocess.Popen[str]) -> None:
        self._listener = listener

    def heard(self) -> list[str]:
        """Return all contacts since the last call; a mark of our own, sent from its own namespace, ends the list."""
        end = b"the-end".hex()
        sender = f"import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'the-end', ('{ADDRESS}', 53))"
        run("ip", "netns", "exec", NAME, sys.executable, "-c", sender)
        lines: list[str] = []
        for line in self._listener.stdout or ():
            if line.strip().endswith(end):
                break
            lines.append(line.strip())
        return lines


def probe(process: int, mark: str) -> str:
    """Try to reach the host outside from the network of a process; returns what came of it, a line for each way."""
    return run("nsenter", "--net", f"--target={process}", sys.executable, "-c", PROBE, ADDRESS, mark)


@contextlib.contextmanager
def outside() -> Iterator[Outside]:
    """Put the host outside up (root), and take it down again; what a killed run left is taken down first."""
    _remove()
    run("ip", "netns", "add", NAME)
    try:
        run("ip", "link", "add", LINK, "type", "veth", "peer", "name", "eth0", "netns", NAME)
        run("ip", "address", "add", f"{ROUTER}/30", "dev", LINK)
        run("ip", "link", "set", LINK, "up")
        for words in (
            f"address add {ADDRESS}/30 dev eth0",
            "link set eth0 up",
            "link set lo up",
            f"route add default via {ROUTER}",
        ):
            run("ip", "-n", NAME, *words.split())
        command = ["ip", "netns", "exec", NAME, sys.executable, "-c", LISTENER, ADDRESS]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as listener:
            try:
                assert listener.stdout
                assert listener.stdout.readline() == "ready\n"
                yield Outside(listener)
            finally:
                listener.terminate()
    finally:
        _remove()


def _remove() -> None:
    for words in (("link", "delete", LINK), ("netns", "delete", NAME)):
        subprocess.run(["ip", *words], check=False, capture_output=True)
