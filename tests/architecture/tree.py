"""Owns what the rules look at: the files of a tree and what is written in them."""

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block of a Markdown file: where it is, the language and the marks after it, and its text."""

    place: str
    language: str
    marks: str
    text: str


@dataclass(frozen=True, slots=True)
class Tree:
    """Text files by their path from the root of the tree."""

    files: Mapping[str, str]

    @classmethod
    def tracked(cls, root: Path = ROOT) -> Self:
        """Return what git tracks or is about to, without pictures."""
        listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        found = subprocess.run(listing, cwd=root, capture_output=True, text=True, check=True).stdout
        paths = (path for path in found.split("\0") if path and not path.endswith((".png", ".ico")))
        return cls({path: (root / path).read_text() for path in paths if (root / path).is_file()})

    def ending(self, *suffixes: str, under: tuple[str, ...] = ("",)) -> Iterator[tuple[str, str]]:
        """Return path and text of the files with one of the suffixes, below one of the folders."""
        for path, text in self.files.items():
            if path.endswith(suffixes) and path.startswith(under):
                yield path, text

    def product(self) -> Iterator[tuple[str, ast.Module]]:
        """Return the modules of the product, parsed; its tests are not among them."""
        packages = ("hub/", "connectors/", "sandbox/", "schemas/")
        for path, text in self.ending(".py", under=packages):
            if "/tests/" not in path:
                yield path, ast.parse(text)

    def tests(self) -> Iterator[tuple[str, ast.Module]]:
        """Return the modules of the tests, parsed."""
        for path, text in self.ending(".py"):
            if path.startswith("tests/") or "/tests/" in path:
                yield path, ast.parse(text)

    def comments(self) -> Iterator[tuple[str, str]]:
        """Return the place and the text of every comment in every module."""
        for path, text in self.ending(".py"):
            for token in tokenize.generate_tokens(io.StringIO(text).readline):
                if token.type == tokenize.COMMENT:
                    yield f"{path}:{token.start[0]}", token.string

    def blocks(self) -> Iterator[Block]:
        """Return the fenced blocks of every Markdown file."""
        for path, text in self.ending(".md"):
            for found in _FENCE.finditer(text):
                language, _, marks = found[1].strip().partition(" ")
                yield Block(f"{path}:{text.count(chr(10), 0, found.start()) + 1}", language, marks, found[2])


def imports(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Return line and dotted name of everything that a module imports, at its top or inside a function."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.lineno, f"{node.module}.{name.name}") for name in node.names)


def calls(module: ast.Module) -> Iterator[tuple[ast.Call, str]]:
    """Return every call in a module with the dotted name of what is called."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call):
            yield node, ast.unparse(node.func)
