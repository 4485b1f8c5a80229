"""Proof keys for code exchange (RFC 7636), S256 only; the checks are Authlib's, typed here."""

from collections.abc import Callable
from typing import Final, cast

from authlib.oauth2.rfc7636 import challenge as authlib

S256_LENGTH: Final = 43

_compare = cast(
    "Callable[[str, str], bool]",
    authlib.compare_s256_code_challenge,  # pyright: ignore[reportUnknownMemberType]  # Authlib ships no types
)


def is_challenge(text: str) -> bool:
    """Return whether `text` can be an S256 challenge: 32 bytes in base64url."""
    return len(text) == S256_LENGTH and authlib.CODE_CHALLENGE_PATTERN.fullmatch(text) is not None


def proves(verifier: str, challenge: str) -> bool:
    """Return whether `verifier` is well formed and the one that `challenge` was made from."""
    return authlib.CODE_VERIFIER_PATTERN.fullmatch(verifier) is not None and _compare(verifier, challenge)
