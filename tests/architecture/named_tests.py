"""The tests that a list of promises or demands names: where they are, and whether they are skipped."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
_SKIPPING: Final = frozenset({"skip", "skipif", "xfail"})


def functions_in(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the tests of a file."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node


def names_in(path: str) -> set[str]:
    """Return the tests of a file, as lists name them."""
    return {f"{path}::{test.name}" for test in functions_in(ROOT / "tests" / path)}


def skipped_of(names: set[str]) -> list[str]:
    """Return which tests of the files that `names` are in are skipped."""
    paths = {name.partition("::")[0] for name in names}
    return [f"{path}::{one.name}" for path in paths for one in functions_in(ROOT / "tests" / path) if _is_skipped(one)]


def _is_skipped(test: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    marks = [node.attr for one in test.decorator_list for node in ast.walk(one) if isinstance(node, ast.Attribute)]
    return bool(_SKIPPING & set(marks))
