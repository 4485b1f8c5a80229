"""What is wrong with a value that was checked: in words for people and agents, without what it holds."""

from pydantic import ValidationError


def first_fault(error: Exception) -> str:
    """Return what is wrong; of the many things that may be wrong with a model's value, the first one and where."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False, include_input=False)[0]
    where = "/".join(str(step) for step in first["loc"])
    return f"{where or 'it'}: {first['msg'].removeprefix('Value error, ')}"
