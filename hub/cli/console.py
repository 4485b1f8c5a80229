"""What commands share in talking to a person: one console, and errors as a sentence with an exit code."""

import asyncio
import importlib
import os
import re
import warnings
from collections.abc import Callable, Coroutine, Iterable, Sequence
from getpass import GetPassWarning
from importlib.util import find_spec
from json import JSONDecodeError
from typing import Any, NoReturn, TypeVar

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError
from rich.console import Console
from rich.markup import escape
from rich.table import Column
from sqlalchemy.exc import OperationalError, ProgrammingError

from connectors.sdk.faults import faults
from hub.core.errors import HubError
from hub.settings import Settings, misspelt

T = TypeVar("T")

_A_SETTING = re.compile(
    rf"^({'|'.join(Settings.model_fields)})\b|\b({'|'.join(f for f in Settings.model_fields if '_' in f)})\b"
)
"""How settings are called in what the settings say of each other: at the beginning, or by a name no sentence has."""

_LONGEST_WORD = 10
"""Of a word in a table that much stays in one line, however narrow the terminal is."""

out = Console()
err = Console(stderr=True)


def settings() -> Settings:
    """Return the settings, or end the command saying which one is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        _refuse([_said(one.where, one.what) for one in faults(error)])
    except SettingsError as error:
        _refuse([_no_json(error)])


def _refuse(lines: Sequence[str]) -> NoReturn:
    fail("The settings cannot be used:\n  " + "\n  ".join(lines))


def _said(where: Sequence[int | str], message: str) -> str:
    """Return what is wrong with one setting, called as it is set; what concerns several of them names itself."""
    if not where:
        return _A_SETTING.sub(lambda found: f"TOOLHUB_{found[0].upper()}", message)
    name, *inside = where
    return f"TOOLHUB_{str(name).upper()}{', at ' + '/'.join(map(str, inside)) if inside else ''}: {message}"


def _no_json(error: SettingsError) -> str:
    """Return which setting is no JSON, and from where on, without what it holds: that may be a secret."""
    named = re.search(r'field "(\w+)"', str(error))
    setting = f"TOOLHUB_{named[1].upper()}" if named else "A setting"
    cause = error.__cause__
    if not isinstance(cause, JSONDecodeError):
        return f"{setting} cannot be read; it must be JSON."
    return f"{setting} is no valid JSON: {cause.msg} at line {cause.lineno}, column {cause.colno}."


def spelling() -> list[str]:
    """Return a sentence for each variable that looks like a setting of the hub and is none."""
    return [
        f"{name} is no setting and does nothing." + (f" Did you mean {meant}?" if meant else "")
        for name, meant in misspelt(os.environ).items()
    ]


def ask_hidden(what: str, *, variable: str, twice: bool = False) -> str:
    """Return what somebody types without its being shown, or what the environment has under `variable`."""
    given = os.environ.get(variable)
    if given is not None:
        return given
    with warnings.catch_warnings():
        warnings.simplefilter("error", GetPassWarning)
        try:
            return str(typer.prompt(what, hide_input=True, confirmation_prompt=twice))
        except GetPassWarning:
            err.print()  # the question stands there already
            fail(f"There is no terminal on which to ask for {what!r} without showing it. Set {variable} instead.")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` returns; an error that a caller may read ends the command with its sentence."""
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(work)
    except HubError as error:
        fail(error.message)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes the fastest event loop there is here: uvloop's, which exists for no Windows."""
    return importlib.import_module("uvloop").new_event_loop if find_spec("uvloop") else None


def has_no_tables(error: BaseException) -> bool:
    """Return whether `error` says that the database has no schema yet."""
    is_of_one = isinstance(error, OperationalError | ProgrammingError)
    return is_of_one and any(said in str(error) for said in ("no such table", "UndefinedTable"))


def whole(head: str, values: Iterable[str]) -> Column:
    """Return the column of a table in which no value is cut or broken, however narrow the terminal is."""
    return Column(head, no_wrap=True, min_width=max(map(len, (head, *values))))


def folding(head: str, values: Iterable[str] = ()) -> Column:
    """Return the column of a table in which nothing is cut: words stay whole where there is room, else fold."""
    longest = max(len(word) for text in (head, *values) for word in text.split() or [""])
    return Column(head, overflow="fold", min_width=min(longest, _LONGEST_WORD))


def fail(message: str) -> NoReturn:
    """Print what is wrong and end with exit code 1."""
    raise typer.Exit(told(message))


def told(message: str) -> int:
    """Print what is wrong, and return the exit code that says so."""
    err.print(f"[bold red]Error:[/] {escape(message)}", highlight=False, soft_wrap=True)  # a path is told whole
    return 1
