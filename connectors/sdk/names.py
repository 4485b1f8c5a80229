"""Names for tools whose names others choose: what the hub allows, the same on every day."""

import hashlib
import re
from collections.abc import Sequence

_LONGEST = 48
_VALID = re.compile(r"[a-z][a-z0-9_]{0,47}")
_RESERVED = "hub_"


def normalised(names: Sequence[str]) -> dict[str, str]:
    """Return `{upstream's name: our name}`; ours differ from each other, and do not depend on the order of `names`.

    A name that is valid as it is stays; others that fall together get a suffix made from the whole original.
    """
    plain = {name: _plain(name) for name in names}
    taken = list(plain.values())
    return {
        name: ours if name == ours or taken.count(ours) == 1 else f"{ours[: _LONGEST - 9]}_{_mark(name)}"
        for name, ours in plain.items()
    }


def _plain(name: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    plain = re.sub(r"[^a-z0-9]+", "_", words).strip("_")
    if _VALID.fullmatch(name) and not name.startswith(_RESERVED):
        return name
    if not re.match(r"[a-z]", plain) or f"{plain}_".startswith(_RESERVED):
        plain = f"tool_{plain}".rstrip("_")
    return plain if len(plain) <= _LONGEST else f"{plain[: _LONGEST - 9]}_{_mark(name)}"


def _mark(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:8]
