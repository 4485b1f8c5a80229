"""How the demo tells what happens: scenes, steps with their time, and the one error that ends it."""

import re
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.markup import escape

_LONGEST_QUOTE: Final = 400
_WORTH_TELLING: Final = 1.0
"""Steps that take longer, in seconds, are told with their time."""


class Unexpected(Exception):
    """The story did not go as it must; the message says what was expected and what happened instead."""


def expect(is_so: object, otherwise: str) -> None:
    """Go on if it is so.

    Raises:
        Unexpected: it is not.
    """
    if not is_so:
        raise Unexpected(otherwise)


def shortened(text: str) -> str:
    """Return what a reader needs of a long text: its beginning in whole words, and every address in the rest."""
    if len(text) <= _LONGEST_QUOTE:
        return text
    beginning = text[: text.rfind(" ", 0, _LONGEST_QUOTE) + 1].rstrip() or text[:_LONGEST_QUOTE]
    addresses = re.findall(r"https?://\S+", text[len(beginning) :])
    return " ... ".join([beginning, *addresses]) + " ..."


class Teller:
    """Tells the story on a console; in a terminal what takes long has a spinner, elsewhere a line when it begins."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._scenes = 0

    def scene(self, title: str) -> None:
        """Begin the next part of the story."""
        self._scenes += 1
        self.console.print(f"\n[bold]{self._scenes}. {escape(title)}[/]", highlight=False, soft_wrap=True)

    @contextmanager
    def doing(self, what: str) -> Generator[None]:
        """Tell that `what` is going on, and that it is done."""
        began = time.monotonic()
        if self.console.is_terminal:
            with self.console.status(f"{escape(what)} ..."):
                yield
        else:
            yield
        took = time.monotonic() - began
        self.did(what if took < _WORTH_TELLING else f"{what} ({took:.0f} s)")

    def starting(self, what: str) -> None:
        """Tell that something slow begins, in words that stay."""
        self.console.print(f"  [cyan]…[/] {escape(what)}", highlight=False, soft_wrap=True)

    def did(self, what: str) -> None:
        """Tell something that went as it should."""
        self.console.print(f"  [green]✓[/] {escape(what)}", highlight=False, soft_wrap=True)

    def asked(self, who: str, what: str) -> None:
        """Tell what somebody does next."""
        self.console.print(f"  [cyan]→[/] {escape(who)}: {escape(what)}", highlight=False, soft_wrap=True)

    def quote(self, text: str) -> None:
        """Tell what somebody was told, word for word."""
        self.console.print(f"    [dim]{escape(text)}[/]", highlight=False, soft_wrap=True)
