"""Random values that are shown once and kept as hashes: cookies, client secrets, codes, refresh tokens, links."""

import hashlib
import secrets
from typing import Final

SECRET_BYTES: Final = 32
"""256 random bits: nothing to guess, so a plain SHA-256 keeps them as safe as a slow hash would."""


def new_secret(prefix: str) -> str:
    """Return a new random value; `prefix` tells people and secret scanners what they have found."""
    return f"{prefix}_{secrets.token_urlsafe(SECRET_BYTES)}"


def hash_secret(value: str) -> str:
    """Return what the database keeps in the place of `value`: the hex SHA-256."""
    return hashlib.sha256(value.encode()).hexdigest()
