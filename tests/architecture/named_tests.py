"""The tests that a list of promises or demands names: where they are, and whether they are skipped."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
_SKIPPING: Final = frozenset({"skip", "skipif", "xfail", "importorskip"})


def functions_in(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the tests of a file."""
    yield from _tests_of(ast.parse(file.read_text(encoding="utf-8")))


def _tests_of(module: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node


def names_in(path: str) -> set[str]:
    """Return the tests of a file, as lists name them."""
    return {f"{path}::{test.name}" for test in functions_in(ROOT / "tests" / path)}


def skipped_of(names: set[str]) -> list[str]:
    """Return which tests of the files that `names` are in are skipped."""
    paths = sorted({name.partition("::")[0] for name in names})
    return [f"{path}::{one}" for path in paths for one in skipped_in((ROOT / "tests" / path).read_text("utf-8"))]


def skipped_in(source: str) -> list[str]:
    """Return which tests of a file are skipped, or may be: by a mark of their own or of the file, or as they run."""
    module = ast.parse(source)
    tests = list(_tests_of(module))
    around = [node for node in module.body if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    if any(map(_mentions_skipping, around)):
        return [one.name for one in tests]
    return [one.name for one in tests if _mentions_skipping(one)]


def _mentions_skipping(node: ast.AST) -> bool:
    """Return whether something of pytest's that skips is used there: `pytest.mark.skipif`, or `pytest.skip()`."""
    used = [one for one in ast.walk(node) if isinstance(one, ast.Attribute) and one.attr in _SKIPPING]
    return any(ast.unparse(one).startswith("pytest.") for one in used)
