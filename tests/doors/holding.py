"""A client that holds a key and proves it with every request (DPoP, RFC 9449), also in ways in which nobody should."""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, Key

Json = Any
"""Any JSON value."""


def hash_of(token: str) -> str:
    """Return what `ath` has to be for an access token."""
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()


@dataclass(kw_only=True)
class Holder:
    """Somebody with a key, and the nonce that a server last told it."""

    key: Key = field(default_factory=lambda: ECKey.generate_key("P-256"), repr=False)
    algorithm: str = "ES256"
    nonce: str | None = None

    @property
    def thumbprint(self) -> str:
        return self.key.thumbprint()

    def proof(
        self, method: str, url: str, token: str | None = None, header: Mapping[str, Json] | None = None, **claims: Json
    ) -> str:
        """Return a proof for one request; a claim or a part of the header that is None is left out."""
        usual = {
            "jti": secrets.token_urlsafe(12),
            "htm": method,
            "htu": url,
            "iat": int(time.time()),
            "ath": None if token is None else hash_of(token),
            "nonce": self.nonce,
        }
        said = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        head = {"typ": "dpop+jwt", "alg": self.algorithm, "jwk": self.key.as_dict(private=False), **(header or {})}
        stated = {name: value for name, value in head.items() if value is not None}
        return jws.serialize_compact(stated, json.dumps(said).encode(), self.key, algorithms=[stated["alg"]])
