"""Regular expressions of schemas, read as JSON Schema means them (ECMA-262) and not as Python does."""

import re
from functools import lru_cache
from typing import Final

_DOLLAR: Final = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|\$", re.DOTALL)


@lru_cache(maxsize=4096)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    r"""Return `pattern` compiled so that `$` is the very end of the text and `\d` and `\w` are ASCII.

    Python's own `$` also matches before a last line feed, so that "7\n" would pass for a number.
    """
    return re.compile(_DOLLAR.sub(lambda found: r"\Z" if found[0] == "$" else found[0], pattern), re.ASCII)
