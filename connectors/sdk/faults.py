"""What is wrong with a value that was checked: in words of JSON for people and agents, without what it holds."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from pydantic import ValidationError

_LIST, _OBJECT = "Input should be a JSON list, in square brackets", "Input should be a JSON object, in curly brackets"
_IN_JSON: Final = {
    **dict.fromkeys(("tuple_type", "list_type", "set_type", "frozen_set_type"), _LIST),
    **dict.fromkeys(("dict_type", "mapping_type", "model_type", "model_attributes_type", "dataclass_type"), _OBJECT),
}
"""What is said of the kinds that JSON has, in the place of Python's names for them."""


_A_SECRET: Final = re.compile(r"^(Value should have at (?:least|most) \d+) item(s?) after validation")
"""A secret text has so many characters, though the library that checks it does not see that it is one."""


class Fault(NamedTuple):
    """One thing that is wrong, and where: names of members and numbers of items."""

    where: tuple[int | str, ...]
    what: str


def faults(error: ValidationError) -> Iterator[Fault]:
    """Yield everything that is wrong."""
    for one in error.errors(include_url=False, include_input=False, include_context=False):
        yield Fault(one["loc"], _IN_JSON.get(one["type"]) or _A_SECRET.sub(r"\1 character\2", _said(one["msg"])))


def _said(message: str) -> str:
    return message.removeprefix("Value error, ")


def first_fault(error: Exception) -> str:
    """Return what is wrong; of the many things that may be wrong with a model's value, the first one and where."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = next(faults(error))
    return f"{'/'.join(map(str, first.where)) or 'it'}: {first.what}"
