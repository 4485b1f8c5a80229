"""The master key: given by the operator, or made on first start in a file that nobody else may read."""

import base64
import binascii
import contextlib
import os
import stat
import tempfile
from pathlib import Path

from hub.core.errors import InputError
from hub.keys.cipher import KEY_BYTES

_LONGEST = 1024
_HOW_TO_GIVE_ONE = "set TOOLHUB_MASTER_KEY to the output of `openssl rand -base64 32`."


class MasterKeyUnusable(InputError):
    """The master key is missing, malformed, or readable by others."""

    code = "master_key_unusable"


def load_master_key(path: Path | None, *, explicit: str | None, is_postgresql: bool, is_new: bool) -> bytes:
    """Return the 32 bytes of the master key.

    `explicit` (base64, from the settings) wins. Otherwise it is read from `path`, which is made with mode 0600 on first
    start, when the database `is_new` and has no keys yet: another master key would never open those. With PostgreSQL it
    is never made, because another replica would make another one.

    Raises:
        MasterKeyUnusable: says what is wrong and what to do.
    """
    if explicit is not None:
        return _decoded(explicit, "TOOLHUB_MASTER_KEY")
    if path is None:
        raise MasterKeyUnusable(f"No master key is given; {_HOW_TO_GIVE_ONE}")
    if not path.exists():
        if is_postgresql:
            raise MasterKeyUnusable(f"On PostgreSQL every replica needs the same master key: {_HOW_TO_GIVE_ONE}")
        if not is_new:
            raise MasterKeyUnusable(
                f"There is no {path}, the master key under which the keys in this database were made. A copy of the"
                " database does not hold it: put the file back from where you keep it apart, or set TOOLHUB_MASTER_KEY"
                " to what stands in it. No other one was made; it would open nothing."
            )
        _make(path)
    with path.open("rb") as file:  # its mode is that of the very file that is read
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & 0o077:
            raise MasterKeyUnusable(f"{path} can be read by others (mode {mode:04o}); run `chmod 600 {path}`.")
        return _decoded(file.read(_LONGEST).decode("ascii", "replace").strip(), str(path))


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".master-")  # mkstemp makes it 0600
    fresh = Path(name)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(base64.b64encode(os.urandom(KEY_BYTES)).decode("ascii") + "\n")
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):  # another process was first; its key is the key
        os.link(fresh, path)  # whole or not at all, and never over an existing one
    fresh.unlink()


def _decoded(text: str, where: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MasterKeyUnusable(f"The master key in {where} is not base64; it should be 32 random bytes.") from error
    if len(key) != KEY_BYTES:
        raise MasterKeyUnusable(f"The master key in {where} has {len(key)} bytes; it should have {KEY_BYTES}.")
    return key
