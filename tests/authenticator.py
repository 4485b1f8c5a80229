"""An authenticator in software, which makes passkeys and answers challenges, and may lie about itself."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import bytes_to_base64url, encode_cbor

PRESENT: Final = 0x01
VERIFIED: Final = 0x04
MADE: Final = 0x40
_COORDINATE: Final = 32


@dataclass(kw_only=True)
class Authenticator:
    """One device with one key (ES256). What it says of itself can be set, as by somebody who lies."""

    origin: str = "http://localhost:8420"
    domain: str = "localhost"
    flags: int = PRESENT | VERIFIED
    uses: int = 0
    left_out: int | None = None
    """The member of its public key that it does not tell (RFC 9053)."""
    id: bytes = field(default=b"a passkey of a test")
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def made(self, options: str) -> str:
        """Return the answer to `navigator.credentials.create` with these options (WebAuthn section 5.1.3)."""
        attested = b"\0" * 16 + len(self.id).to_bytes(2) + self.id + encode_cbor(self._public_key())
        data = self._data(self.flags | MADE) + attested
        attestation = encode_cbor({"fmt": "none", "attStmt": {}, "authData": data})
        answer = {"attestationObject": bytes_to_base64url(attestation), "transports": ["internal"]}
        return self._credential(self._client_data("webauthn.create", options), answer)

    def answered(self, options: str, *, kind: str = "webauthn.get") -> str:
        """Return the answer to `navigator.credentials.get` with these options (WebAuthn section 5.1.4)."""
        self.uses += 1
        client_data, data = self._client_data(kind, options), self._data(self.flags)
        signed = self.key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(SHA256()))
        answer = {"authenticatorData": bytes_to_base64url(data), "signature": bytes_to_base64url(signed)}
        return self._credential(client_data, answer)

    def _credential(self, client_data: bytes, answer: dict[str, Any]) -> str:
        named = bytes_to_base64url(self.id)
        response = {"clientDataJSON": bytes_to_base64url(client_data), **answer}
        credential = {"id": named, "rawId": named, "type": "public-key", "response": response}
        return json.dumps({**credential, "clientExtensionResults": {}})

    def _client_data(self, kind: str, options: str) -> bytes:
        challenge = json.loads(options)["challenge"]
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin}).encode()

    def _data(self, flags: int) -> bytes:
        return hashlib.sha256(self.domain.encode()).digest() + bytes([flags]) + self.uses.to_bytes(4)

    def _public_key(self) -> dict[int, int | bytes]:
        numbers = self.key.public_key().public_numbers()
        whole = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(_COORDINATE), -3: numbers.y.to_bytes(_COORDINATE)}
        return {name: value for name, value in whole.items() if name != self.left_out}
