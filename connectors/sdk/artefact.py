"""The digest of a connector's code: one byte of difference is another version of all its tools."""

import hashlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

_NOT_SHIPPED = frozenset({"__pycache__", "tests"})


def artefact_digest(module: str) -> str:
    """Return the SHA-256 over names and bytes of the files in the package of `module`, its tests left out.

    A module without a package counts alone.

    Raises:
        ModuleNotFoundError: there is no such module, or it has no file.
    """
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{module} has no source file", name=module)
    origin = Path(spec.origin)
    in_package = spec.submodule_search_locations is not None or bool(spec.parent)
    return _digest_of(origin.parent, _shipped(origin.parent) if in_package else iter([origin]))


def _shipped(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix()):
        parts = path.relative_to(folder).parts
        if path.is_file() and not _NOT_SHIPPED & set(parts) and not any(part.startswith(".") for part in parts):
            yield path


def _digest_of(folder: Path, files: Iterator[Path]) -> str:
    hashed = hashlib.sha256()
    for path in files:
        content = path.read_bytes()
        # Lengths keep the end of a name apart from the start of a content.
        name = path.relative_to(folder).as_posix().encode()
        hashed.update(b"%d:%s%d:" % (len(name), name, len(content)))
        hashed.update(content)
    return hashed.hexdigest()
