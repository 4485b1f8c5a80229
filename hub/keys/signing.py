"""Signing keys: ES256 for tokens, Ed25519 for checkpoints, each with an id and a public JWK."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key
from joserfc.jwk import ECKey, OKPKey

SigningPurpose = Literal["tokens", "checkpoints"]
"""Tokens: ES256, which every OAuth library verifies. Checkpoints: Ed25519, which the note format names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A key that signs: ES256 for tokens (RFC 7518), Ed25519 for checkpoints (RFC 8032)."""

    id: str
    private: EllipticCurvePrivateKey | Ed25519PrivateKey
    public_jwk: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"SigningKey(id={self.id!r})"


def new_signing_key(purpose: SigningPurpose) -> bytes:
    """Return a new private key as PKCS #8 DER."""
    private = generate_private_key(SECP256R1()) if purpose == "tokens" else Ed25519PrivateKey.generate()
    return private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def read_signing_key(key_id: str, der: bytes) -> SigningKey:
    """Return the key that `new_signing_key` made.

    Raises:
        TypeError: it is of another kind.
    """
    private = load_der_private_key(der, None)
    match private:
        case EllipticCurvePrivateKey():
            elliptic = ECKey.import_key(private.public_key())
            jwk = elliptic.as_dict(private=False, kid=key_id, use="sig", alg="ES256")
        case Ed25519PrivateKey():
            edwards = OKPKey.import_key(private.public_key())
            jwk = edwards.as_dict(private=False, kid=key_id, use="sig", alg="EdDSA")
        case _:
            raise TypeError(type(private).__name__)
    return SigningKey(id=key_id, private=private, public_jwk=dict(jwk))
