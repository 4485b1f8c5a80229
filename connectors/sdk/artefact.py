"""The digest of a connector's code: one byte of difference is another version of all its tools."""

import hashlib
from collections.abc import Iterator
from importlib.machinery import all_suffixes
from importlib.util import find_spec
from pathlib import Path
from typing import Final

_OURS: Final = "connectors."
"""The package of the connectors that come with the hub. What else of it they use is the hub's, as the SDK is."""


def artefact_digest(module: str) -> str:
    """Return the SHA-256 over names and bytes of the files in the top-level package of `module`, its tests included.

    Whatever a connector can import from its own package counts, behind links too. Its dependencies do not, nor what the
    interpreter keeps compiled, which no confined process reads. Of the hub's own connectors each is a package by
    itself, and a module without a package counts alone. This finds the code and runs none of a package outside of the
    hub.

    Raises:
        ModuleNotFoundError: there is no such module, or it has no file.
    """
    package = ".".join(module.split(".")[: 2 if module.startswith(_OURS) else 1])
    spec = find_spec(package)
    if spec is None or not (spec.submodule_search_locations or spec.origin):
        raise ModuleNotFoundError(f"{package} has no source file", name=module)
    hashed = hashlib.sha256()
    if spec.submodule_search_locations is None:
        hashed.update(_told(Path(str(spec.origin)), Path(str(spec.origin)).parent))
    for place in spec.submodule_search_locations or ():
        for path in _files(Path(place)):
            hashed.update(_told(path, Path(place)))
    return hashed.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    found = _below(folder, frozenset({folder.resolve()}))
    for path in sorted(found, key=lambda path: path.relative_to(folder).as_posix()):
        if not _is_cached(path) and (_is_code(path) or not _is_hidden(path.relative_to(folder))):
            yield path


def _below(folder: Path, above: frozenset[Path]) -> Iterator[Path]:
    """Yield the files below, through links as an import goes, but not back into the folders `above`."""
    for path in folder.iterdir():
        if path.is_file():
            yield path
        elif path.is_dir() and (real := path.resolve()) not in above:
            yield from _below(path, above | {real})


def _is_cached(path: Path) -> bool:
    """Return whether the interpreter compiled it for itself: such a name, with a tag in it, no import finds."""
    return path.parent.name == "__pycache__" and path.suffix == ".pyc" and "." in path.stem


def _is_code(path: Path) -> bool:
    return path.name.endswith(tuple(all_suffixes()))


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _told(path: Path, folder: Path) -> bytes:
    content = path.read_bytes()
    # Lengths keep the end of a name apart from the start of a content.
    name = path.relative_to(folder).as_posix().encode()
    return b"%d:%s%d:" % (len(name), name, len(content)) + content
