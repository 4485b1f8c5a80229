"""Reading XML that somebody else wrote, within bounds; a document type is refused, so that no entity is ever read."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

LARGEST_DOCUMENT: Final = 32 * 1024 * 1024
_DEEPEST: Final = 100
_MOST_ELEMENTS: Final = 1_000_000
_SEPARATOR: Final = " "


class Unreadable(ValueError):
    """The file holds no `$metadata` document; the message says why."""


@dataclass(slots=True)
class Element:
    """One element, by its name without the namespace."""

    name: str
    attributes: dict[str, str]
    children: list["Element"] = field(default_factory=list["Element"])
    text: str = ""

    def all(self, name: str) -> Iterator["Element"]:
        """Yield the children called `name`."""
        return (child for child in self.children if child.name == name)


def read_markup(content: bytes) -> Element:
    """Return the root element of `content`.

    Raises:
        Unreadable: it is too large or too deep, no XML, or declares a document type.
    """
    if len(content) > LARGEST_DOCUMENT:
        raise Unreadable(f"The document is larger than {LARGEST_DOCUMENT} bytes.")
    return _Reading().root(content)


class _Reading:
    def __init__(self) -> None:
        self._open = [Element(name="", attributes={})]
        self._count = 0

    def root(self, content: bytes) -> Element:
        parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        try:
            parser.Parse(content, True)
        except expat.ExpatError as error:
            raise Unreadable(f"The document is no XML: {error}.") from error
        return self._open[0].children[0]

    def _refuse(self, name: str, system: str | None, public: str | None, has_subset: bool) -> None:  # noqa: FBT001  # expat calls it so
        del name, system, public, has_subset
        raise Unreadable("The document declares a document type (DTD); no service needs one, and none is read.")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if len(self._open) > _DEEPEST or self._count > _MOST_ELEMENTS:
            raise Unreadable("The document is deeper or larger than any service.")
        element = Element(
            name=name.rpartition(_SEPARATOR)[2],
            attributes={key.rpartition(_SEPARATOR)[2]: value for key, value in attributes.items()},
        )
        self._open[-1].children.append(element)
        self._open.append(element)

    def _end(self, name: str) -> None:
        del name
        self._open.pop()

    def _text(self, text: str) -> None:
        self._open[-1].text += text
