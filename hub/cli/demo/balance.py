"""The end of the demo: what the audit export says beside what Tryton says, and every difference between the two."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from rich.markup import escape
from rich.table import Table

from connectors.tryton_server import Person
from hub.cli.demo.proof import Proof
from hub.cli.demo.record import RecordedCall

Json = Any
"""Any JSON value."""

FRESH_SECONDS: Final = 600.0
_WRITTEN_BY_THE_HUB: Final = ["write_uid.login", "=", "hub"]
_EURO_DIGITS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """The calls on record, what Tryton shows of each write, and where the two differ."""

    calls: Sequence[RecordedCall]
    effects: Mapping[str, Mapping[str, Json]]
    differences: Sequence[str]


def balance(calls: Sequence[RecordedCall], tryton: Person) -> Balance:
    """Compare what is on record with what a separate login sees in Tryton."""
    effects = {call.id: _READERS[_model(call)](tryton, _id(call)) for call in calls if call.is_committed}
    differences = [*_of_effects(calls, effects), *_of_writes(calls, tryton), *_of_decisions(calls)]
    return Balance(calls=calls, effects=effects, differences=differences)


def _of_effects(calls: Sequence[RecordedCall], effects: Mapping[str, Mapping[str, Json]]) -> list[str]:
    """Return where Tryton holds another value than the one on record."""
    return [
        f"{call.target}: the record says {name} is {call.output.get(name)!r}, Tryton says {value!r}"
        for call in calls
        if call.output is not None
        for name, value in effects[call.id].items()
        if call.output.get(name) != value
    ]


def _of_writes(calls: Sequence[RecordedCall], tryton: Person) -> list[str]:
    """Return what the hub's account wrote without a record, or did not write although it is on record."""
    on_record = {call.target for call in calls if call.is_committed}
    in_tryton = {f"{model}/{number}" for model in _READERS for number in tryton.ids(model, _WRITTEN_BY_THE_HUB)}
    return [
        *(f"{target}: written in Tryton by the hub's account, without a record" for target in in_tryton - on_record),
        *(f"{target}: committed on record, not written in Tryton" for target in on_record - in_tryton),
    ]


def _of_decisions(calls: Sequence[RecordedCall]) -> list[str]:
    """Return what was committed without the decisions that its tier asks for."""
    found: list[str] = []
    for call in calls:
        wanted = {"high": 1, "critical": 2}.get(call.tier, 0) if call.is_committed else 0
        if len(set(call.voters)) < wanted:
            found.append(f"{call.id}: tier {call.tier}, approved by {len(set(call.voters))} instead of {wanted}")
        if "rita" in call.voters:
            found.append(f"{call.id}: approved by the one who asked for it")
        if call.tier == "critical" and any(age > FRESH_SECONDS for age in call.login_ages):
            found.append(f"{call.id}: approved without a fresh login")
        if call.is_committed and call.sent != 1:
            found.append(f"{call.id}: sent {call.sent} times")
    return found


def as_table(found: Balance, proof: Proof) -> Table:
    """Return the table that the demo ends with."""
    table = Table(
        title="What happened: by the audit export, and by Tryton", title_justify="left", caption_justify="left"
    )
    for heading in ("call", "tier", "decided", "previews", "commit", "in Tryton"):
        table.add_column(heading, overflow="fold")
    for call in found.calls:
        effect = found.effects.get(call.id, {})
        seen = ", ".join(f"{name} {value}" for name, value in effect.items())
        table.add_row(
            escape(call.tool),
            call.tier or "-",
            escape(_decided(call)),
            f"{call.previews} ({call.stale} stale)" if call.stale else str(call.previews or "-"),
            call.state if call.is_write else "-",
            escape(f"{call.target}: {seen}") if seen else "-",
        )
    verdict = "no difference" if not found.differences else f"{len(found.differences)} DIFFERENCES"
    table.caption = (
        f"{proof.events} audit events proven under one signed checkpoint; a changed byte is found out. "
        f"Record and Tryton: {verdict}."
    )
    return table


def as_json(found: Balance, proof: Proof) -> dict[str, Json]:
    """Return the same as data."""
    return {
        "calls": [
            {
                "id": call.id,
                "tool": call.tool,
                "tier": call.tier,
                "effect": call.effect,
                "state": call.state,
                "decision": call.decision,
                "refusal": call.refusal or None,
                "voters": call.voters,
                "refused_votes": call.refused_votes,
                "previews": call.previews,
                "stale": call.stale,
                "sent": call.sent,
                "target": call.target or None,
                "in_tryton": found.effects.get(call.id),
            }
            for call in found.calls
        ],
        "audit": {
            "events": proof.events,
            "checkpoint_size": proof.checkpoint_size,
            "open_values": proof.open_values,
            "changed_byte": proof.found_out,
        },
        "differences": list(found.differences),
    }


def _decided(call: RecordedCall) -> str:
    refused = f"; refused: {', '.join(call.refused_votes)}" if call.refused_votes else ""
    return f"{call.decision}{refused}"


def _model(call: RecordedCall) -> str:
    return call.target.rpartition("/")[0]


def _id(call: RecordedCall) -> int:
    return int(call.target.rpartition("/")[2])


def _contact(tryton: Person, number: int) -> dict[str, Json]:
    return {"value": tryton.read("party.contact_mechanism", number, "value")["value"]}


def _party(tryton: Person, number: int) -> dict[str, Json]:
    return {"payment_term_id": tryton.read("party.party", number, "customer_payment_term")["customer_payment_term"]}


def _sale(tryton: Person, number: int) -> dict[str, Json]:
    return _document(tryton.read("sale.sale", number, "state", "number", "total_amount"))


def _invoice(tryton: Person, number: int) -> dict[str, Json]:
    return _document(tryton.read("account.invoice", number, "state", "number", "total_amount"))


def _document(found: Mapping[str, Json]) -> dict[str, Json]:
    total = Decimal(found["total_amount"]["decimal"]).scaleb(_EURO_DIGITS)
    return {"state": found["state"], "number": found["number"], "total_minor": int(total)}


_READERS: Final[Mapping[str, Callable[[Person, int], dict[str, Json]]]] = {
    "party.contact_mechanism": _contact,
    "party.party": _party,
    "sale.sale": _sale,
    "account.invoice": _invoice,
}
