"""From `$metadata` to tools: types, capabilities and annotations are respected, and nothing unsafe is read."""

import json
import re
from pathlib import Path

import pytest
from odata_shop import CSDL, SHOP, imported

from connectors.odata import BadWord, Importing, OwnersWords, Unreadable, compile_metadata, read_metadata
from connectors.odata.loading import read_metadata as read
from connectors.odata.markup import LARGEST_DOCUMENT
from connectors.odata.owners import OwnersWord, owners_words
from connectors.openapi import read_document
from connectors.openapi.report import report_of
from connectors.sdk.auth import Basic
from connectors.sdk.vocabulary import Effect, Fidelity, Reversal, Tier, UpstreamClass

README = Path(__file__).parents[1] / "README.md"


def arguments(name: str) -> dict[str, object]:
    return dict(SHOP.operation(name).input_schema["properties"])


def test_every_set_action_and_function_becomes_a_tool_or_a_refusal_with_its_reason() -> None:
    report = report_of(imported())

    assert [tool["name"] for tool in report["tools"]] == [
        *("find_products", "get_products", "create_products", "update_products", "delete_products"),
        *("products_retire", "products_price_on"),
        *("find_suppliers", "get_suppliers", "create_suppliers", "update_suppliers", "delete_suppliers"),
        *("find_readings", "get_readings"),
        *("find_notes", "get_notes", "create_notes", "update_notes", "delete_notes"),
        *("purge_all", "cheapest"),
    ]
    assert {one["operation"]: one["reason"] for one in report["refusals"]} == {
        "Me": "It is a singleton, which is not imported.",
        "POST Readings": "The service says so: InsertRestrictions/Insertable is false.",
        "PATCH Readings": "The service says so: UpdateRestrictions/Updatable is false.",
        "DELETE Readings": "The service says so: DeleteRestrictions/Deletable is false.",
    }
    assert report["dangling"] == report["invalid"] == report["non_portable"] == 0
    assert report["bytes_per_tool"] < 2000


def test_what_the_system_sets_is_no_argument_and_what_stays_is_none_of_a_change() -> None:
    assert {"changed", "photo", "supplier"} & {*arguments("create_products")} == set()
    assert "number" in arguments("create_products")
    assert SHOP.operation("create_products").input_schema["required"] == ["number", "name"]
    assert SHOP.operation("update_products").input_schema["required"] == ["number"]
    assert SHOP.operation("update_products").binding["body"].keys() == {
        *("name", "price", "stock", "weight", "grade", "tags", "home")
    }


def test_types_keep_every_digit_and_rule() -> None:
    known = arguments("create_products")

    assert known["name"] == {"type": "string", "maxLength": 40, "description": "What it is called."}
    assert known["stock"] == {"type": "string", "pattern": "^-?[0-9]{1,19}$"}
    assert known["price"] == known["weight"]
    assert known["price"]["format"] == "decimal"  # type: ignore[index]  # a schema
    assert known["grade"] == {"type": "string", "enum": ["Plain", "Fine"]}
    assert known["tags"] == {"type": "array", "maxItems": 100, "items": {"type": "string"}}
    assert known["home"] == {
        "type": "object",
        "properties": {"street": {"type": "string"}, "since": {"type": "string", "format": "date"}},
        "required": ["street"],
        "additionalProperties": False,
    }


def test_what_may_not_be_filtered_is_no_field_to_filter_by() -> None:
    fields = arguments("find_products")["where"]["items"]["properties"]["field"]["enum"]  # type: ignore[index]  # a schema

    assert fields == ["number", "changed", "name", "price", "stock", "grade"]


def test_the_machinery_of_drafts_is_not_shown() -> None:
    shown = {*SHOP.operation("get_notes").output_schema["properties"]}

    assert shown == {"id", "text", "lines"}
    assert {*arguments("get_notes")} == {"id", "expand"}
    assert not [one.name for one in SHOP.operations if "draft" in one.name]


def test_records_that_belong_to_a_new_one_are_made_with_it_and_do_not_say_to_which_they_belong() -> None:
    lines = arguments("create_notes")["lines"]

    assert lines["items"]["properties"].keys() == {"id", "word"}  # type: ignore[index]  # a schema


def test_effects_and_tiers_are_inferred_with_their_reasons() -> None:
    tools = {tool["name"]: tool for tool in report_of(imported())["tools"]}

    assert (tools["find_products"]["effect"], tools["find_products"]["tier"]) == ("read", "low")
    assert tools["find_suppliers"]["tier"] == "medium"
    assert tools["find_suppliers"]["reasons"]["tier"] == "mail is marked as personal data"
    assert (tools["products_price_on"]["effect"], tools["products_price_on"]["tier"]) == ("read", "low")
    assert tools["products_retire"]["tier"] == "high"
    assert tools["products_retire"]["reasons"]["tier"] == "what it does is not known"
    assert tools["purge_all"]["tier"] == "critical"
    assert tools["delete_suppliers"]["tier"] == "high"


def test_promises_follow_from_what_the_service_offers() -> None:
    update, create, other = (SHOP.operation(name) for name in ("update_notes", "create_notes", "update_suppliers"))

    assert (update.upstream_class, update.fidelity) == (UpstreamClass.B, Fidelity.EXECUTED)
    assert (create.upstream_class, create.fidelity) == (UpstreamClass.C, Fidelity.EXECUTED)
    assert (other.upstream_class, other.fidelity) == (UpstreamClass.D, Fidelity.SIMULATED)
    assert SHOP.operation("products_retire").fidelity is Fidelity.CONTRACT
    assert create.compensation is not None
    assert (create.compensation.tool, create.reversal) == ("delete_notes", Reversal.EXACT)


def test_an_undo_empties_again_what_was_empty() -> None:
    undo = SHOP.operation("update_notes").compensation
    assert undo is not None

    emptied = undo.arguments_for({"input": {"id": "1", "text": "new"}, "output": {}, "before": [{"id": "1"}]})
    filled = undo.arguments_for({"input": {"id": "1"}, "output": {}, "before": [{"id": "1", "text": "old"}]})

    assert emptied == {"id": "1", "clear": ["text"]}
    assert filled == {"id": "1", "text": "old"}
    assert SHOP.operation("update_notes").reversal is Reversal.EXACT
    assert SHOP.operation("update_products").residue == ("home",), "what is within a record is not emptied again"


def test_nothing_is_published_that_the_owner_does_not_expose() -> None:
    root = read_metadata(CSDL)
    words = owners_words({"sign_in": "basic", "tools": {"create_notes": {"expose": True, "tier": "critical"}}})

    nothing = compile_metadata(root, Importing(name="shop")).spec
    one = compile_metadata(root, Importing(name="shop"), words).spec

    assert (nothing.operations, nothing.safe) == ((), ())
    assert [operation.name for operation in one.operations] == ["create_notes"]
    assert (one.operations[0].tier, one.auth) == (Tier.CRITICAL, Basic())
    assert one.operations[0].compensation is None, "the tool that would undo it is not exposed"


def test_the_owners_file_of_the_readme_can_be_read() -> None:
    (text,) = re.findall(r"^```yaml\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)

    words = owners_words(read_document(text.encode()))

    assert {name for name, word in words.tools.items() if word.expose} == {
        *("find_orders", "update_orders", "orders_check")
    }
    assert words.tools["orders_check"].effect is Effect.READ


def test_an_owner_may_confirm_that_an_action_only_reads() -> None:
    confirmed = imported(purge_all={"effect": Effect.READ}).spec

    assert confirmed.operation("purge_all").effect is Effect.READ
    assert [rule.template for rule in confirmed.safe if rule.method == "POST" and not rule.preview_only] == [
        "/purgeAll"
    ]
    assert not [rule for rule in SHOP.safe if rule.method == "POST" and not rule.preview_only]


def test_an_owner_cannot_make_a_read_of_a_delete() -> None:
    with pytest.raises(BadWord, match="only of an action"):
        imported(delete_products={"effect": Effect.READ})


def test_an_owner_cannot_call_a_write_harmless() -> None:
    with pytest.raises(BadWord, match="never of tier low"):
        imported(update_products={"tier": Tier.LOW})


def test_an_owner_who_speaks_of_no_tool_is_told() -> None:
    with pytest.raises(BadWord, match="no tool find_nothing"):
        compile_metadata(read_metadata(CSDL), Importing(name="shop"), OwnersWords(tools={"find_nothing": OwnersWord()}))


def test_the_json_form_says_the_same() -> None:
    assert imported(json.dumps(read_metadata(CSDL)).encode()).spec == SHOP


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>', "document type"),
        (b'<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd"><x/>', "document type"),
        (b"<a>" * 200, "deeper"),
        (b"<a", "no XML"),
        (b"<html/>", "no \\$metadata"),
        (b"{", "no JSON"),
        (b'{"$Version": "3.0"}', "only OData 4"),
        (b"", "no XML"),
    ],
    ids=["entities", "external", "deep", "broken", "page", "broken-json", "version", "empty"],
)
def test_what_is_unsafe_or_no_metadata_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        read(content)


@pytest.mark.parametrize("start", [b"<", b"{"], ids=["xml", "json"])
def test_a_document_that_is_too_large_is_not_read(start: bytes) -> None:
    with pytest.raises(Unreadable, match="larger"):
        read(start + b" " * LARGEST_DOCUMENT)
