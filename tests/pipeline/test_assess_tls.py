"""``assess service`` and TLS: a real server with certificates of an authority that is made for the test."""

from __future__ import annotations

import datetime as dt
import ssl
import threading
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hardener.assessment.service import tls
from hardener.assessment.service.client import Client
from hardener.errors import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY = dt.timedelta(days=1)


class Authority:
    """A certificate authority with its certificate in a file."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "planted authority")])
        self.file = folder / "ca.pem"
        made = self._signed(self._name, self._key, x509.BasicConstraints(ca=True, path_length=None), 2)
        self.file.write_bytes(made.public_bytes(serialization.Encoding.PEM))

    def _signed(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType, days: int
    ) -> x509.Certificate:
        end = dt.datetime.now(dt.UTC) + days * DAY
        unsigned = x509.CertificateBuilder().subject_name(name).issuer_name(self._name).public_key(key.public_key())
        unsigned = unsigned.serial_number(x509.random_serial_number()).not_valid_before(end - 4 * DAY)
        unsigned = unsigned.not_valid_after(end).add_extension(
            extension, critical=isinstance(extension, x509.BasicConstraints)
        )
        return unsigned.sign(self._key, hashes.SHA256())

    def issue(self, host: str, days: int = 2) -> Path:
        """Return a file with key and certificate of a host; with negative ``days`` it has expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._signed(x509.Name([]), key, x509.SubjectAlternativeName([x509.DNSName(host)]), days)
        path = self._folder / f"{host}{days}.pem"
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
        return path


class Handler(BaseHTTPRequestHandler):
    """Answers all with an empty page."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_words: object) -> None:
        """Write nothing."""


class Served:
    """A server on this machine, whose certificate and versions a test chooses."""

    def __init__(self, certificate: Path, *, old: bool = False) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        if old:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.set_ciphers("ALL:@SECLEVEL=0")
                context.minimum_version = ssl.TLSVersion.TLSv1
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._server.handle_error = lambda *_words: None  # a client that does not trust us hangs up
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.origin = f"https://localhost:{self._server.server_address[1]}"

    def client(self, authority: Path | None) -> Client:
        """Return a client that trusts an authority, or those of this machine."""
        return Client(self.origin, (self.origin,), ca_file=str(authority or ""))

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def served(request: pytest.FixtureRequest, authority: Authority) -> Iterator[Served]:
    """Serve with the certificate and the versions of the parameter."""
    host, days, old = request.param
    server = Served(authority.issue(host, days), old=old)
    yield server
    server.close()


@pytest.mark.parametrize("served", [("localhost", 2, False)], indirect=True)
def test_a_valid_certificate_of_a_named_authority_is_accepted_and_of_an_unknown_one_refused(
    served: Served, authority: Authority
) -> None:
    assert served.client(authority.file).get("/").status == 200
    with pytest.raises(UnreachableError, match="certificate that is not valid here") as raised:
        served.client(None).get("/")
    assert "--ca-file" in raised.value.hint


@pytest.mark.parametrize("served", [("other.example", 2, False), ("localhost", -1, False)], indirect=True)
def test_a_wrong_name_and_an_expired_certificate_are_refused(served: Served, authority: Authority) -> None:
    with pytest.raises(UnreachableError, match="certificate that is not valid here") as raised:
        served.client(authority.file).get("/")
    assert raised.value.exit_code == 4


@pytest.mark.parametrize(
    ("served", "found"),
    [(("localhost", 2, True), ["TLS 1.0", "TLS 1.1"]), (("localhost", 2, False), [])],
    indirect=["served"],
)
def test_old_versions_are_found_where_they_are_on_offer(served: Served, found: list[str]) -> None:
    sent: list[int] = []
    assert tls.offered(served.origin, sent.append) == {"asked": True, "old": found}
    assert sent == [1, 1]
