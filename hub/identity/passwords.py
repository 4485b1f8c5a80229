"""Passwords: what a good one is, and argon2id hashes, computed away from the event loop."""

import asyncio
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from hub.core.errors import InputError

MIN_LENGTH: Final = 12
MAX_LENGTH: Final = 256

_HASHER: Final = PasswordHasher()
_WORKERS: Final = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")
# Two at a time: each hash takes 64 MiB, and a flood of logins must not take the memory of everything else.


def check_strength(password: str) -> None:
    """Let a new password pass if it is long enough; length is all that NIST SP 800-63B asks for.

    Raises:
        InputError: it is too short or too long.
    """
    length = len(_normal(password))
    if not MIN_LENGTH <= length <= MAX_LENGTH:
        raise InputError(f"A password has {MIN_LENGTH} to {MAX_LENGTH} characters; this one has {length}.")


async def hash_password(password: str) -> str:
    """Return the argon2id hash of `password` with a fresh salt."""
    return await asyncio.get_running_loop().run_in_executor(_WORKERS, _HASHER.hash, _bytes(password))


async def new_hash(password: str) -> str:
    """Return the hash of a new password that is good enough.

    Raises:
        InputError: it is too short or too long.
    """
    check_strength(password)
    return await hash_password(password)


async def matches(password: str, hashed: str | None) -> bool:
    """Return whether `password` is the one behind `hashed`; without a hash it takes as long and is False."""
    return await asyncio.get_running_loop().run_in_executor(_WORKERS, _matches, password, hashed)


def needs_new_hash(hashed: str) -> bool:
    """Return whether `hashed` was made with weaker parameters than today's."""
    return _HASHER.check_needs_rehash(hashed)


def _matches(password: str, hashed: str | None) -> bool:
    try:
        return _HASHER.verify(hashed or _decoy(), _bytes(password)) and hashed is not None
    except (VerificationError, InvalidHashError):
        return False


@cache
def _decoy() -> str:
    return _HASHER.hash("the password of an account that does not exist")


def _normal(password: str) -> str:
    # The same characters typed on two keyboards are the same password (NIST SP 800-63B section 3.1.1.2).
    return unicodedata.normalize("NFKC", password)


def _bytes(password: str) -> bytes:
    # Cut only after it is normal: typed in parts, a password that is short enough can be several times as long. What is
    # longer than any password matches none. Whatever a form can carry can be compared.
    return _normal(password)[: MAX_LENGTH + 1].encode(errors="surrogatepass")
