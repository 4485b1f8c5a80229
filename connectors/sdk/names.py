"""Names for tools whose names others choose: what the hub allows, the same on every day."""

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import count

_LONGEST = 48
_VALID = re.compile(r"[a-z][a-z0-9_]{0,47}")
_RESERVED = "hub_"


def normalised(names: Sequence[str], reserved: Collection[str] = ()) -> dict[str, str]:
    """Return `{upstream's name: our name}`; ours differ from each other, and do not depend on the order of `names`.

    A name that is valid as it is stays, unless it is `reserved`; others that fall together, with a reserved one, too,
    get a suffix made from the whole original, and another one where somebody has that very name.
    """
    plain = {name: _plain(name) for name in names}
    times = Counter(plain.values())
    ours = {name: one for name, one in plain.items() if one not in reserved and (name == one or times[one] == 1)}
    taken = {*ours.values(), *reserved}
    for name in sorted(plain.keys() - ours.keys()):
        ours[name] = next(one for one in _marked(plain[name], name) if one not in taken)
        taken.add(ours[name])
    return ours


def _marked(plain: str, name: str) -> Iterator[str]:
    """Yield names for what is called `name`; that somebody has taken one of them makes no other one likelier."""
    yield f"{plain[: _LONGEST - 9]}_{_mark(name)}"
    for number in count(2):
        yield f"{plain[: _LONGEST - 9]}_{_mark(f'{number} {name}')}"


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
