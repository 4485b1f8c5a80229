"""The page of evidence, which is made again whenever evidence is verified."""

import hashlib

from hub.audit import Policy
from hub.audit.evidence_format import EvidenceHeader
from hub.audit.evidence_page import page_of
from hub.audit.export_format import EventLine


def test_what_is_no_text_where_a_text_belongs_is_shown_as_it_is() -> None:
    header = EvidenceHeader(checkpoint="note", count=1, keys=(), policies=(), subject="inv_case", values="closed")
    body = {"kind": 7, "at": None, "actor": {"id": "<b>"}, "facts": {}, "commitments": {}}
    event = EventLine.model_validate({"body": body, "position": 7, "proof": [], "values": None})

    page = page_of(header, [event])

    assert "<h2>7</h2>" in page
    assert "&lt;b&gt;" in page


def test_the_page_of_this_format_stays_as_it_is() -> None:
    # Files of years ago are verified by making their page again: whoever changes it makes format 2, and keeps this one.
    rules = Policy(schema="0" * 64, text="permit (principal, action, resource);")
    header = EvidenceHeader(checkpoint="note", count=1, keys=(), policies=(rules,), subject="inv_case", values="open")
    body = {
        "kind": "commit.sent",
        "at": "2026-01-01T00:00:00.000000Z",
        "subject": "inv_case",
        "actor": None,
        "agent": "agt_1",
        "on_behalf_of": None,
        "facts": {"b": [1, "ü<"], "a": None},
        "commitments": {"x": "00", "y": "00"},
    }
    values = {"x": {"salt": "", "value": {"z": "\u200b"}}, "y": None}
    event = EventLine.model_validate({"body": body, "position": 7, "proof": [], "values": values})

    made = hashlib.sha256(page_of(header, [event]).encode()).hexdigest()

    assert made == "04d72fdcafb2c9bd9c5619a3d89f879cd69d87d6f452cb2e77e917b041524b58"
