"""Passwords are hashed with little work in a test's own process, as each login in it would take a fifth of a second.

The programs that tests start hash as they do for users; `tests/identity/test_passwords.py` says how much that is.
"""

from typing import Final

from argon2 import PasswordHasher

from hub.identity import passwords

_QUICK: Final = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


def pytest_configure() -> None:
    """Let what the hub hashes in this process take next to nothing."""
    passwords._HASHER = _QUICK
