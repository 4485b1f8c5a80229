"""XML-RPC as text: writing calls, and reading calls and answers with nothing that makes XML dangerous.

There are no document types, so no entities but the five of XML; and what is read is bounded in size and depth.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast
from xml.parsers import expat
from xml.sax.saxutils import escape

Json = Any
"""Any JSON value."""

LARGEST: Final = 10 * 1024 * 1024
_DEEPEST: Final = 120
_MOST_ELEMENTS: Final = 200_000
_MOST_IN_A_CALL: Final = 20_000
_BUFFER: Final = 1024 * 1024
_HEAD: Final = re.compile(
    r"(?:<\?xml version=(?:'1\.0'|\"1\.0\")(?: encoding=(?:'utf-8'|\"utf-8\"))?\?>)?\s*"
    r"<methodCall>\s*<methodName>([A-Za-z0-9_.:/]{1,200})</methodName>",
    re.IGNORECASE,
)
"""Source: the specification's "identifier characters": letters, digits, underscore, dot, colon and slash."""
_OF_CALLS: Final = frozenset(
    {"methodCall", "methodName", "params", "param", "value", "string", "int", "i4", "i8", "boolean", "double"}
    | {"dateTime.iso8601", "base64", "nil", "array", "data", "struct", "member", "name"}
)
_SMALLEST, _LARGEST = -(2**31), 2**31 - 1
_UNSAYABLE: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class NotXmlRpc(ValueError):
    """It is not XML-RPC, or not in the plain form in which it is read here."""


class Unsayable(ValueError):
    """XML-RPC has no way to say a value; the message says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Fault:
    """How a server says no."""

    code: int
    text: str


@dataclass(slots=True)
class Element:
    """An element: its text, and its elements."""

    tag: str
    text: str = ""
    elements: list["Element"] = field(default_factory=list["Element"])

    def only(self, tag: str) -> "Element":
        """Return the only element in it, which is a `tag`.

        Raises:
            NotXmlRpc: something else is in it.
        """
        if [element.tag for element in self.elements] != [tag]:
            raise NotXmlRpc(f"Not exactly one <{tag}> stands in <{self.tag}>.")
        return self.elements[0]

    def written(self) -> str:
        """Return it as text."""
        return f"<{self.tag}>{_said(self.text)}{''.join(one.written() for one in self.elements)}</{self.tag}>"


def method_of(body: str | None) -> str | None:
    """Return the method that `body` calls, or None where it is not one plain call that all readers read alike.

    A call of many calls has no name: what it does stands inside it.
    """
    head = None if body is None else _HEAD.match(body)
    if body is None or head is None or is_of_many(head[1]):
        return None
    try:
        root = tree(body, is_call=True)
    except NotXmlRpc:
        return None
    tags = [element.tag for element in root.elements]
    is_plain = root.tag == "methodCall" and tags in (["methodName"], ["methodName", "params"])
    return head[1] if is_plain and [one.tag for one in walked(root)].count("methodName") == 1 else None


def is_of_many(method: str) -> bool:
    """Return whether `method` is one by which servers carry out a list of other calls: `system.multicall`."""
    return "multicall" in method.casefold().replace("_", "")


def call(method: str, values: Sequence[Json]) -> str:
    """Return the call of `method` with `values`.

    Raises:
        Unsayable: XML-RPC has no such value.
    """
    params = "".join(f"<param>{_value(value)}</param>" for value in values)
    return f"<?xml version='1.0'?><methodCall><methodName>{method}</methodName><params>{params}</params></methodCall>"


def answer_in(body: str) -> Json | Fault:
    """Return the value that `body` answers with, or the fault.

    Raises:
        NotXmlRpc: it is no answer.
    """
    root = tree(body)
    if root.tag != "methodResponse":
        raise NotXmlRpc("It is not a <methodResponse>.")
    if [element.tag for element in root.elements] == ["fault"]:
        said = _read(root.only("fault").only("value"))
        fault = cast("dict[str, Json]", said) if isinstance(said, dict) else {}
        code = fault.get("faultCode")
        return Fault(code if isinstance(code, int) else 0, str(fault.get("faultString", "")))
    return _read(root.only("params").only("param").only("value"))


def tree(body: str, *, is_call: bool = False) -> Element:
    """Return the elements of `body`; a call has none but those of XML-RPC, and nothing beside them.

    Raises:
        NotXmlRpc: it is not XML, has a document type, or is too large or too deep.
    """
    if len(body) > LARGEST:
        raise NotXmlRpc(f"It is larger than {LARGEST} characters.")
    building = _Building(is_call=is_call)
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text, parser.buffer_size = True, _BUFFER
    parser.StartElementHandler = building.start
    parser.EndElementHandler = building.end
    parser.CharacterDataHandler = building.text
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    if is_call:
        parser.ProcessingInstructionHandler = parser.CommentHandler = parser.StartCdataSectionHandler = _refuse
    try:
        parser.Parse(body.encode(), True)
    except (expat.ExpatError, UnicodeEncodeError) as error:
        raise NotXmlRpc(f"It is not XML: {error}.") from error
    return building.root.elements[0]


def walked(element: Element) -> Iterator[Element]:
    """Yield `element` and everything in it."""
    waiting = [element]
    while waiting:
        one = waiting.pop()
        yield one
        waiting += one.elements


def rewritten(body: str, leaf: Callable[[str, str, frozenset[str]], str]) -> str:
    """Return `body` with the text of each value as `leaf(type, text, members)` says; `members` are those it stands in.

    Raises:
        NotXmlRpc: it is not XML-RPC.
    """
    root = tree(body)
    if root.tag not in {"methodCall", "methodResponse"}:
        raise NotXmlRpc("It is neither a call nor an answer.")
    _rewrite(root, leaf, frozenset())
    return root.written()


def _rewrite(element: Element, leaf: Callable[[str, str, frozenset[str]], str], members: frozenset[str]) -> None:
    if element.tag == "member":
        members |= {one.text for one in element.elements if one.tag == "name"}
    elif not element.elements and element.tag not in {"name", "methodName"}:
        element.text = leaf(element.tag, element.text, members)
    for one in element.elements:
        _rewrite(one, leaf, members)


class _Building:
    """The elements read so far."""

    def __init__(self, *, is_call: bool) -> None:
        self.root = Element("")
        self._open = [self.root]
        self._count = 0
        self._is_call = is_call

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._count += 1
        most = _MOST_IN_A_CALL if self._is_call else _MOST_ELEMENTS
        if self._count > most or len(self._open) > _DEEPEST:
            raise NotXmlRpc("It is too large or too deep.")
        if self._is_call and (attributes or tag not in _OF_CALLS):
            raise NotXmlRpc("It has something that is not of XML-RPC.")
        self._between()
        element = Element(tag)
        self._open[-1].elements.append(element)
        self._open.append(element)

    def end(self, _tag: str) -> None:
        if self._open[-1].elements:
            self._between()
        self._open.pop()

    def text(self, text: str) -> None:
        self._open[-1].text += text

    def _between(self) -> None:
        """Forget the blanks between two elements, where no text may stand."""
        if self._open[-1].text.strip():
            raise NotXmlRpc("It has text between its elements.")
        self._open[-1].text = ""


def _refuse(*_: object) -> None:
    raise NotXmlRpc("It has a document type, or something else that no call needs.")


def _read(value: Element) -> Json:
    if not value.elements:
        return value.text  # without a type it is a string
    if len(value.elements) > 1:
        raise NotXmlRpc("A value has two types.")
    typed = value.elements[0]
    match typed.tag:
        case "struct":
            return dict(map(_member, typed.elements))
        case "array":
            return [_read(one) for one in typed.only("data").elements]
        case _:
            return _single(typed)


def _member(member: Element) -> tuple[str, Json]:
    if [one.tag for one in member.elements] != ["name", "value"]:
        raise NotXmlRpc("A member of a struct has a name and a value.")
    return member.elements[0].text, _read(member.elements[1])


def _single(typed: Element) -> Json:
    """Return a value that holds no others; extensions of the types come with a prefix (`ex:i8`)."""
    read = _TYPES.get(typed.tag.rpartition(":")[2])
    if read is None:
        raise NotXmlRpc("A value is of no type of XML-RPC.")
    try:
        return read(typed.text)
    except (ValueError, KeyError) as error:
        raise NotXmlRpc("A value is not of its type.") from error


_TYPES: Final[Mapping[str, Callable[[str], Json]]] = {
    "string": str,
    "boolean": lambda text: {"0": False, "1": True}[text.strip()],
    **dict.fromkeys(("int", "i1", "i2", "i4", "i8", "i16", "biginteger"), int),
    **dict.fromkeys(("double", "float"), float),
    "nil": lambda _: None,
    "dateTime.iso8601": str.strip,
    "base64": lambda text: "".join(text.split()),
}


def _value(value: Json) -> str:
    return f"<value>{_typed(value)}</value>"


def _typed(value: Json) -> str:
    if isinstance(value, Mapping):
        members = cast("Mapping[str, Json]", value).items()
        inside = "".join(f"<member><name>{_said(name)}</name>{_value(one)}</member>" for name, one in members)
        return f"<struct>{inside}</struct>"
    if isinstance(value, list | tuple):
        return f"<array><data>{''.join(map(_value, cast('Sequence[Json]', value)))}</data></array>"
    return _typed_single(value)


def _typed_single(value: Json) -> str:
    match value:
        case None:
            return "<nil/>"
        case bool():
            return f"<boolean>{value:d}</boolean>"
        case int() if _SMALLEST <= value <= _LARGEST:
            return f"<int>{value}</int>"
        case float() if math.isfinite(value):
            return f"<double>{value!r}</double>"
        case str():
            return f"<string>{_said(value)}</string>"
        case _:
            raise Unsayable(f"XML-RPC cannot say {type(value).__name__} {value!r:.40}: send it as text.")


def _said(text: str) -> str:
    if _UNSAYABLE.search(text):
        raise Unsayable("XML cannot say a control character or half a surrogate pair: leave it out.")
    return escape(text, {"\r": "&#13;"})
