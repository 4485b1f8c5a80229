"""A certificate for servers on this machine, made for one test run."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def for_localhost(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return what a server for `localhost` shows, and what a client needs to believe it."""
    return made_for(x509.DNSName("localhost"), folder)


def for_loopback(folder: Path) -> ssl.SSLContext:
    """Return what a server for the address 127.0.0.1 shows; who trusts `certificate.pem` in `folder` believes it."""
    return made_for(x509.IPAddress(ip_address("127.0.0.1")), folder)[0]


def made_for(whom: x509.GeneralName, folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return what a server shows that is `whom`, and what a client needs to believe it; both are kept in `folder`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([whom]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    theirs.load_cert_chain(certificate, private)
    return theirs, ssl.create_default_context(cafile=str(certificate))
