"""Owns the house rules about everything that is not code: documents, decisions, constraints, names of machines."""

import ast
import json
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

import yaml

from architecture.tree import Tree

_MACHINE = re.compile(r"(?<![\w.:$}-])/(?:work|root|home/\w+|Users/\w+|opt/(?:pypi|wheels))(?:-\w+)?/")
_REGISTRY = re.compile(
    r"(?:\bpypi\.org|pythonhosted\.org|registry\.npmjs|deb\.debian\.org|\bcrates\.io|proxy\.golang\.org)", re.IGNORECASE
)
_PIN = re.compile(r"[A-Za-z0-9][\w.-]*(\[[\w,-]+\])?==[\w.!+]+")
_DECISION = re.compile(r"hub/decisions/(\d{4})-[a-z0-9-]+\.md")
_PARTS = ("## Context", "## Decision", "## Consequences")


def no_machine_is_named(tree: Tree) -> Iterator[str]:
    """What works here only is found out elsewhere."""
    for path, text in tree.files.items():
        if path.endswith(".min.js"):
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            if found := _MACHINE.search(line) or _REGISTRY.search(line):
                yield f"{path}:{number} names one machine or one registry: {found[0]}"


def constraints_only_pin(tree: Tree) -> Iterator[str]:
    """Where packages come from is for whoever installs them to say."""
    for path, text in tree.ending(".txt"):
        if not path.startswith("constraints/") and not path.endswith("requirements.txt"):
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            if line and not line.startswith("#") and not _PIN.fullmatch(line):
                yield f"{path}:{number} is not `name==version`: {line}"


def decisions_are_numbered(tree: Tree) -> Iterator[str]:
    """A decision is referred to by its number for ever."""
    found = [(path, text, _DECISION.fullmatch(path)) for path, text in tree.ending(".md", under=("hub/decisions/",))]
    for path, text, match in found:
        if match is None:
            yield f"{path} is not named NNNN-what-was-decided.md"
        elif not text.startswith(f"# {int(match[1])}. "):
            yield f"{path} does not start with its number and its title"
        yield from (f"{path} has no part {part!r}" for part in _PARTS if f"\n{part}\n" not in text)
    numbers = Counter(int(match[1]) for _, _, match in found if match)
    yield from (f"decision {number} stands {count} times" for number, count in numbers.items() if count > 1)
    yield from (
        f"decision {number} is missing" for number in range(1, max(numbers, default=0)) if number not in numbers
    )


def blocks_can_be_read(tree: Tree) -> Iterator[str]:
    """An example that its own language refuses helps nobody."""
    for block in tree.blocks():
        reader = _READERS.get(block.language)
        if reader is None:
            yield f"{block.place} shows {block.language or 'a block without a language'}, which nothing checks"
            continue
        try:
            reader(block.text)
        except (SyntaxError, ValueError, yaml.YAMLError) as error:
            yield f"{block.place} is not {block.language}: {error}"


def commands_exist(tree: Tree) -> Iterator[str]:
    """A reader types what a document shows."""
    targets = set(re.findall(r"^([a-z-]+):", tree.files.get("Makefile", ""), re.MULTILINE))
    for block in tree.blocks():
        for target in re.findall(r"^(?:\$ )?make ([a-z-]+)", block.text, re.MULTILINE):
            if block.language == "sh" and target not in targets:
                yield f"{block.place} says `make {target}`, which the Makefile does not know"


def links_lead_somewhere(tree: Tree) -> Iterator[str]:
    """A link inside the tree names a file of the tree."""
    for path, text in tree.ending(".md"):
        folder = path.rpartition("/")[0]
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
            if "://" in target or target.startswith("mailto:"):
                continue
            wanted = _joined(folder, target)
            known = any(file == wanted or file.startswith(f"{wanted}/") for file in tree.files)
            if not known and not wanted.endswith(".png"):
                yield f"{path} links to {target}, which is not there"


def _joined(folder: str, target: str) -> str:
    parts: list[str] = []
    for part in f"{folder}/{target}".split("/"):
        if part == "..":
            parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    return "/".join(parts)


def _shell(text: str) -> None:
    if text.count('"') % 2 or text.count("'") % 2:
        raise ValueError("a quotation does not end")


_READERS: Mapping[str, Callable[[str], object]] = {
    "python": ast.parse,
    "json": json.loads,
    "toml": tomllib.loads,
    "yaml": yaml.safe_load,
    "sh": _shell,
    "cedar": str,
    "http": str,
    "text": str,
}
