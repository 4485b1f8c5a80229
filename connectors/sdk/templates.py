"""Path templates: which paths `/deals/{id}` stands for, segment by segment, as they stand in a request."""

import re
from functools import lru_cache
from typing import Final

_VARIABLE: Final = re.compile(r"\{[^{}/]*\}")


def matches(template: str, path: str) -> bool:
    """Return whether `path` is `template` with something in the place of each `{variable}`, which crosses no slash.

    Nothing is decoded: both are as they stand in a request.
    """
    return _pattern(template).fullmatch(path) is not None


def variable_in(template: str, path: str) -> str:
    """Return what stands in `path` where `template` has its one variable, as it stands in a request; else nothing."""
    before, _, after = _VARIABLE.sub("\0", template).partition("\0")
    return path[len(before) : len(path) - len(after)] if matches(template, path) else ""


def overlaps(first: str, second: str) -> bool:
    """Return whether some path might be meant by both templates."""
    ones, others = first.casefold().split("/"), second.casefold().split("/")
    return len(ones) == len(others) and all(map(_may_be_alike, ones, others))


def is_narrower(first: str, second: str) -> bool:
    """Return whether `first` is concrete wherever `second` is, and says the same there: then `first` is meant."""
    ones, others = first.split("/"), second.split("/")
    return len(ones) == len(others) and all(
        one == other or _VARIABLE.search(other) is not None for one, other in zip(ones, others, strict=True)
    )


def _may_be_alike(one: str, other: str) -> bool:
    if _VARIABLE.search(one) and _VARIABLE.search(other):
        return True
    return matches(one, other) or matches(other, one)


@lru_cache(maxsize=4096)
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile("[^/]+".join(map(re.escape, _VARIABLE.split(template))))
