"""The sentence that says what will happen is made from the effect alone."""

import pytest

from connectors.sdk.preview import Change, Preview
from connectors.sdk.vocabulary import Effect
from hub.web.field_words import FieldWords
from hub.web.headlines import headline

CREATED = Change(target="party.party/new", effect=Effect.CREATE, after={"name": "New Ltd"})
CHANGED = Change(target="party.party/7", effect=Effect.UPDATE, before={"a": 1, "v": 1}, after={"a": 2, "v": 2})


def updated(*names: str, unknown: tuple[str, ...] = ()) -> Change:
    """Return a change of the fields `names`."""
    before, after = dict.fromkeys(names, 1), dict.fromkeys(names, 2)
    return Change(target="t/1", effect=Effect.UPDATE, before=before, after=after, unknown=unknown)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ((updated("a"),), "Change a of t/1 in erp"),
        ((updated("a", "b"),), "Change a and b of t/1 in erp"),
        ((updated("a", "b", "c"),), "Change a, b and c of t/1 in erp"),
        ((updated("a", "b", "c", "d"),), "Change 4 fields of t/1 in erp"),
        ((updated("a", "version", unknown=("version",)),), "Change a of t/1 in erp"),
        ((CREATED,), "Create a record party.party/new in erp"),
        ((Change(target="t/1", effect=Effect.DELETE, before={"a": 1}),), "Delete t/1 in erp"),
        ((CREATED, CHANGED, updated("a")), "Create 1 record and change 2 records in erp"),
        ((), "Send a reminder in erp"),
    ],
)
def test_the_headline_names_what_changes(changes: tuple[Change, ...], sentence: str) -> None:
    assert headline(Preview(changes=changes), title="Send a reminder", system="erp") == sentence


def test_without_a_preview_the_tools_title_stands_for_it() -> None:
    assert headline(None, title="Read a party", system="erp") == "Read a party in erp"


def test_fields_are_called_by_their_titles_where_these_are_known() -> None:
    words = FieldWords(titles={"term": "Payment term", "vat_id": "VAT id"})

    said = headline(Preview(changes=(updated("term", "vat_id"),)), title="x", system="erp", words=words)

    assert said == "Change payment term and VAT id of t/1 in erp"
