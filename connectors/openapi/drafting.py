"""One operation on its way to a tool: what it sends and answers, what it appears to do, what its owner says of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from connectors.openapi.arguments import Arguments, arguments_of
from connectors.openapi.document import Document, Object, as_object
from connectors.openapi.extension import GuardBy, OwnersWord, owners_word
from connectors.openapi.inference import Verdict, infer
from connectors.openapi.operations import Answer, Operation, Parameter
from connectors.openapi.placing import Base, Place, place_of, variables_of
from connectors.openapi.rules import short, types_of
from connectors.openapi.security import secret_headers
from connectors.openapi.shapes import Detail, Shaper
from connectors.openapi.sharing import OUTPUT_BUDGET, fullest_fit

Json = Any
"""Any JSON value."""

_LONGEST_TITLE: Final = 70
_LONGEST_DESCRIPTION: Final = 260


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An operation, and all that is known of it before others are looked at."""

    name: str
    operation: Operation
    place: Place
    arguments: Arguments
    verdict: Verdict
    word: OwnersWord
    guard: GuardBy | None
    binding: Object
    output_schema: Object

    @property
    def title(self) -> str:
        """Return what people call it."""
        return short(self.operation.summary, _LONGEST_TITLE) or self.name.replace("_", " ").capitalize()

    @property
    def description(self) -> str:
        """Return what agents read; what the title says already is not said again."""
        said = self.operation.description or self.operation.summary
        return short(said, _LONGEST_DESCRIPTION) or f"{self.operation.method} {self.operation.path}"[:300]


class Drafting:
    """Makes drafts of the operations of one document."""

    def __init__(self, document: Document, base: Base) -> None:
        self._document = document
        self._base = base
        self._inputs = Shaper(document, is_input=True)
        self._outputs = Shaper(document, is_input=False)
        self._secret = secret_headers(document)

    def draft(self, operation: Operation, name: str) -> Draft:
        """Return the draft of `operation`, to be called `name`.

        Raises:
            Misplaced: no request can be made of it.
            BadWord: what its owner says of it cannot be followed.
            Entangled: a schema of it cannot be followed.
        """
        word = owners_word(operation.hub)
        place = place_of(operation, self._base)
        operation = self._with_every_variable(operation)
        guard = GuardBy.model_validate({"read": "etag"}) if word.guard == "etag" else word.guard
        without = guard.name.lower() if guard is not None and guard.place == "header" else ""
        arguments = arguments_of(operation, self._inputs, self._secret, without)
        kind = _answer_kind(operation.answer)
        return Draft(
            name=name,
            operation=operation,
            place=place,
            arguments=arguments,
            verdict=infer(operation, takes_a_list=self._takes_a_list(operation)),
            word=word,
            guard=guard,
            binding=_with_word(_binding(operation, place, arguments, kind), word),
            output_schema=self._output(operation.answer, kind),
        )

    def _with_every_variable(self, operation: Operation) -> Operation:
        """Return `operation` with a parameter for each variable of its path, and for none that is not there."""
        variables = variables_of(operation.path)
        kept = [one for one in operation.parameters if one.place != "path" or one.name in variables]
        known = {one.name for one in kept if one.place == "path"}
        for name in variables:
            if name not in known:
                self._document.note(f"A variable in the path {operation.path[:120]!r} is not described; it is a text.")
                kept.append(Parameter(name=name, place="path", schema={"type": "string"}, required=True, **_SIMPLE))
        return replace(operation, parameters=tuple(kept))

    def _takes_a_list(self, operation: Operation) -> bool:
        if operation.body is None:
            return False
        combined = self._inputs.combined(operation.body.schema)
        if types_of(combined) == ["array"]:
            return True
        members = self._inputs.members(combined)
        single = [*members.properties.values()] if members is not None else []
        return len(single) == 1 and types_of(self._inputs.combined(single[0])) == ["array"]

    def _output(self, answer: Answer, kind: str) -> Object:
        match kind:
            case "bytes":
                return _object_of(base64={"type": "string"}, media_type={"type": "string"})
            case "text":
                return _object_of(text={"type": "string"})
            case "none":
                return {"type": "object"}
            case _:
                return fullest_fit(lambda detail: self._record(answer.schema, detail), OUTPUT_BUDGET)

    def _record(self, schema: Json, detail: Detail) -> Object:
        shaped = self._outputs.shape(schema, detail)
        match shaped.get("type"):
            case "object":
                return shaped
            case "array":
                return _object_of(items=shaped)
            case None:
                return {"type": "object"}
            case _:
                return _object_of(value=shaped)


_SIMPLE: Final[Mapping[str, Json]] = {"style": "simple", "explode": False}


def _object_of(**properties: Json) -> Object:
    return {"type": "object", "properties": properties}


def _answer_kind(answer: Answer) -> str:
    media_type = answer.media_type.lower()
    if answer.schema is None:
        return "none"
    if "json" in media_type:
        return "json"
    is_text = any(part in media_type for part in ("text/", "xml", "yaml", "csv", "form-urlencoded"))
    return "text" if is_text else "bytes"


def _with_word(binding: Object, word: OwnersWord) -> Object:
    """Return `binding` with what the owner says of how this API speaks."""
    if word.absent:
        binding["absent"] = list(word.absent)
    if word.members or word.rest:
        binding["body"] = {**as_object(binding.get("body")), "places": dict(word.members), "rest": word.rest}
    return binding


def _binding(operation: Operation, place: Place, arguments: Arguments, kind: str) -> Object:
    headers = {"accept": operation.answer.media_type or "application/json", **arguments.fixed}
    binding: Object = {
        "method": operation.method,
        "path": place.path,
        "parameters": arguments.parameters,
        "headers": headers,
        "answer": kind,
    }
    if place.query:
        binding["query"] = list(place.query)
    if arguments.body is not None:
        binding["body"] = arguments.body
    return binding
