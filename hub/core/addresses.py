"""E-mail addresses: which texts are ones that can stand in a header and an SMTP command as they are."""

import re
from typing import Final

LONGEST_ADDRESS: Final = 254
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS: Final = re.compile(rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~.-]{{1,64}}@{_LABEL}(?:\.{_LABEL})*")


def is_address(text: str) -> bool:
    """Return whether `text` is NAME@DOMAIN in ASCII: no blank, no control, no quote, no bracket, one recipient."""
    return len(text) <= LONGEST_ADDRESS and _ADDRESS.fullmatch(text) is not None
