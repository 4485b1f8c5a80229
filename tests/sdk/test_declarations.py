"""What an author declares becomes a spec, or is refused with a sentence that says what to write instead."""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field
from upstream.connector import connector as upstream

from connectors.sdk import (
    AuthSpec,
    BadDeclaration,
    Compensation,
    Connector,
    Context,
    Effect,
    Fidelity,
    Preview,
    Reversal,
    SafeRule,
    Tier,
    UpstreamClass,
)
from connectors.sdk.artefact import artefact_digest
from connectors.sdk.connector import load
from connectors.sdk.operations import WriteOptions
from connectors.sdk.spec import ConnectorSpec
from schemas import compile_schema


class Answer(BaseModel):
    """An answer."""

    id: int
    note: str | None = None


class Node(BaseModel):
    """A node of a tree."""

    child: "Node | None" = None


class Cat(BaseModel):
    """A cat."""

    kind: Literal["cat"]


class Dog(BaseModel):
    """A dog."""

    kind: Literal["dog"]


class Colour(StrEnum):
    """A colour."""

    RED = "red"
    BLUE = "blue"


class Address(BaseModel):
    """Where somebody lives."""

    street: Annotated[str, Field(max_length=80)]
    number: int | None = None


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]
WRITE: WriteOptions = {"effect": Effect.UPDATE, "tier": Tier.HIGH}


def fresh() -> Connector:
    """Return a connector whose operations are still to come."""
    return Connector("fresh", version="1.0.0", description="New.", safe=[SafeRule(method="GET")], entry="fresh:fresh")


def with_write(options: WriteOptions) -> Connector:
    """Return a connector with one write."""
    connector = fresh()

    @connector.write("thing_change", **options)
    async def _(context: Context, id: int, name: str = "") -> Answer:  # noqa: A002  # an argument's name
        """Change a thing."""
        raise NotImplementedError

    return connector


def spec_of(connector: Connector) -> ConnectorSpec:
    """Return the spec, made as if the connector stood in the test upstream's package."""
    connector.__dict__["entry"] = "upstream.connector:connector"
    return connector.spec


async def no_docstring(context: Context) -> Answer:
    raise NotImplementedError


def blocking(context: Context) -> Answer:
    """Read a thing."""
    raise NotImplementedError


async def untyped(context: Context, name) -> Answer:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """Read a thing."""
    raise NotImplementedError


async def list_result(context: Context) -> list[Answer]:
    """Read things."""
    raise NotImplementedError


async def any_number_of_arguments(context: Context, **names: str) -> Answer:
    """Read a thing."""
    raise NotImplementedError


async def recursive(context: Context, tree: Node) -> Answer:
    """Read a thing."""
    raise NotImplementedError


async def recursive_result(context: Context) -> Node:
    """Read a thing."""
    raise NotImplementedError


async def discriminated(context: Context, pet: Pet) -> Answer:
    """Read a thing."""
    raise NotImplementedError


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (no_docstring, "give the function a docstring"),
        (blocking, "write 'async def'"),
        (untyped, "say which type 'name' has"),
        (list_result, "return a pydantic model"),
        (any_number_of_arguments, "name each argument"),
        (recursive, "Node contains itself"),
        (recursive_result, "Node contains itself"),
        (discriminated, "use a plain union"),
    ],
)
def test_a_function_that_cannot_be_published_is_refused_where_it_stands(
    function: Callable[..., Awaitable[Answer]], sentence: str
) -> None:
    with pytest.raises(BadDeclaration, match=sentence):
        fresh().read("thing_get")(function)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({**WRITE, "fidelity": Fidelity.SIMULATED}, "needs a preview: attach one with @thing_change.preview"),
        ({**WRITE, "upstream_class": UpstreamClass.B}, "the guard comes from it"),
        ({**WRITE, "upstream_class": UpstreamClass.C}, "class C needs a lookup"),
        ({**WRITE, "effect": Effect.READ}, "use .read for a read"),
        ({**WRITE, "tier": Tier.LOW}, "a write is never of tier low"),
        ({**WRITE, "reversal": Reversal.EXACT}, "an exact undo needs a compensation"),
        ({**WRITE, "reversal": Reversal.PARTIAL}, "must say what stays behind"),
        ({**WRITE, "effect": Effect.DELETE, "tier": Tier.MEDIUM}, "at least of tier high"),
        ({**WRITE, "max_unsafe_requests": 21}, "max_unsafe_requests"),
    ],
)
def test_a_write_that_contradicts_itself_is_refused(options: WriteOptions, sentence: str) -> None:
    with pytest.raises(BadDeclaration, match=sentence):
        spec_of(with_write(options))


@pytest.mark.parametrize(
    ("arguments", "tool", "sentence"),
    [
        ({"id": "/input/id"}, "thing_restore", "is no write of this connector"),
        ({"id": "/input/id", "colour": "/input/id"}, "thing_change", "takes no argument 'colour'"),
        ({"name": "/before/0/name"}, "thing_change", "needs the argument 'id'"),
    ],
)
def test_a_compensation_that_cannot_be_called_is_refused(arguments: dict[str, str], tool: str, sentence: str) -> None:
    undo = Compensation(tool=tool, arguments=arguments, kind=Reversal.EXACT)

    with pytest.raises(BadDeclaration, match=sentence):
        spec_of(with_write({**WRITE, "reversal": Reversal.EXACT, "compensation": undo}))


def test_examples_and_facts_must_fit_the_arguments() -> None:
    with pytest.raises(BadDeclaration, match="breaks its own schema"):
        with_write({**WRITE, "examples": [{"id": "seven"}]})
    with pytest.raises(BadDeclaration, match="which is no argument"):
        with_write({**WRITE, "facts": {"amount": "/amount"}})


def test_a_phase_may_ask_only_for_arguments_of_its_write_and_is_attached_once() -> None:
    connector = fresh()

    @connector.write("thing_change", **WRITE)
    async def thing_change(context: Context, id: int) -> Answer:  # noqa: A002  # an argument's name
        """Change a thing."""
        raise NotImplementedError

    async def asks_too_much(context: Context, colour: str) -> Preview:
        raise NotImplementedError

    async def fits(context: Context, id: int) -> Preview:  # noqa: A002  # see above
        raise NotImplementedError

    with pytest.raises(BadDeclaration, match="asks for 'colour'"):
        thing_change.preview(asks_too_much)
    thing_change.preview(fits)
    with pytest.raises(BadDeclaration, match="has a preview already"):
        thing_change.preview(fits)


def test_one_name_stands_for_one_operation() -> None:
    connector = with_write(WRITE)

    with pytest.raises(BadDeclaration, match="two operations called 'thing_change'"):
        connector.read("thing_change")(list_of_answers)


async def list_of_answers(context: Context) -> Answer:
    """Read a thing."""
    raise NotImplementedError


def test_a_connector_that_can_send_nothing_is_refused() -> None:
    connector = Connector("mute", version="1.0.0", description="Silent.", entry="upstream.connector:connector")
    connector.read("thing_get")(list_of_answers)

    with pytest.raises(BadDeclaration, match="say which requests are safe"):
        _ = connector.spec


def test_arguments_are_portable_bounded_and_never_null() -> None:
    connector = fresh()

    @connector.read("thing_find")
    async def _(
        context: Context,
        number: int,
        home: Address,
        colour: Colour | None = None,
        limit: Annotated[int, Field(ge=1, le=50)] = 20,
    ) -> Answer:
        """Find a thing."""
        raise NotImplementedError

    schema = connector.operations["thing_find"].signature.input_schema

    bounds = {"type": "integer", "minimum": -(2**53 - 1), "maximum": 2**53 - 1}
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["number", "home"]
    assert schema["properties"]["number"] == bounds
    assert schema["properties"]["limit"] == {"type": "integer", "minimum": 1, "maximum": 50, "default": 20}
    assert schema["properties"]["colour"] == {"$ref": "#/$defs/Colour"}
    assert schema["$defs"]["Address"]["properties"]["number"] == bounds
    assert "null" not in str(schema)
    compiled = compile_schema(schema)
    assert compiled.is_valid({"number": 1, "home": {"street": "Mill Lane"}})
    assert not compiled.is_valid({"number": 1, "home": {"street": "Mill Lane"}, "colour": None})
    assert not compiled.is_valid({"number": 1, "home": {"street": "Mill Lane"}, "other": 1})


def test_the_spec_says_all_the_hub_must_know() -> None:
    spec = upstream.spec

    update = spec.operation("item_update")
    assert spec.entry == "upstream.connector:connector"
    assert spec.auth == AuthSpec(kind="bearer", secret_fields=("token",))
    assert spec.artefact_digest == artefact_digest("upstream.connector")
    assert (update.title, update.description) == ("Item update", "Change the name or the quantity of an item.")
    assert (update.fidelity, update.upstream_class, update.observable) == (Fidelity.SIMULATED, UpstreamClass.B, True)
    assert ConnectorSpec.model_validate_json(spec.model_dump_json()) == spec
    with pytest.raises(KeyError):
        spec.operation("nothing")


def test_an_entry_leads_back_to_its_connector_or_says_that_it_does_not() -> None:
    assert load(upstream.spec.entry) is upstream
    with pytest.raises(BadDeclaration, match="is not a connector"):
        load("upstream.connector:Item")
    nameless = Connector("nameless", version="1.0.0", description="Lost.")
    with pytest.raises(BadDeclaration, match="give it a name at the top of"):
        _ = nameless.entry


def test_one_byte_of_code_is_another_artefact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "shop_connector"
    package.mkdir()
    (package / "__init__.py").write_text("a = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    first = artefact_digest("shop_connector")

    (package / "__init__.py").write_text("a = 2\n")
    changed = artefact_digest("shop_connector")
    (package / "__init__.py").write_text("a = 1\n")
    (package / "more.py").write_text("")
    grown = artefact_digest("shop_connector")

    assert len({first, changed, grown}) == 3
    with pytest.raises(ModuleNotFoundError):
        artefact_digest("no_such_module")


@pytest.mark.parametrize(
    ("file", "counts"),
    [
        ("tests/test_it.py", True),
        ("rates.json", True),
        ("old.pyc", True),
        ("__pycache__/hidden.py", True),
        ("__pycache__/hidden.pyc", True),
        (".py", True),
        ("__pycache__/crm.cpython-311.pyc", False),
        (".cache/found.json", False),
    ],
)
def test_what_can_be_imported_from_the_package_is_part_of_the_artefact(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, counts: bool
) -> None:
    package = tmp_path / "rich_connector"
    (package / "crm").mkdir(parents=True)
    monkeypatch.syspath_prepend(str(tmp_path))
    (package / "__init__.py").write_text("")
    (package / "crm" / "__init__.py").write_text("")
    before = artefact_digest("rich_connector.crm")

    (package / file).parent.mkdir(exist_ok=True)
    (package / file).write_text("a = 1\n")

    assert (artefact_digest("rich_connector.crm") != before) is counts


def test_the_connectors_that_come_with_the_hub_are_artefacts_by_themselves() -> None:
    assert artefact_digest("connectors.smtp") != artefact_digest("connectors.sql")
    assert artefact_digest("connectors.sql.run") == artefact_digest("connectors.sql")


def test_receipts_give_the_arguments_of_an_undo_or_say_why_not() -> None:
    undo = Compensation(
        tool="item_update",
        arguments={"id": "/input/id", "name": "/before/0/name", "reason": "/input/reason"},
        kind=Reversal.EXACT,
    )

    given = undo.arguments_for({"input": {"id": 1}, "output": {}, "before": [{"name": "pencil"}]})

    assert given == {"id": 1, "name": "pencil"}
    with pytest.raises(Exception, match="cannot be undone by itself: item_update needs 'name'"):
        undo.arguments_for({"input": {"id": 1}, "output": {}, "before": [{"name": None}]})
