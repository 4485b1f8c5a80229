"""The lines of drafts: adding, changing and taking them away, through the document that they belong to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Generic

from pydantic import BaseModel, Field

from connectors.sdk import Blast, Change, Context, Effect, NotFound, Precondition, Preview, Refused
from connectors.tryton.documents import D, Face, LineRow, Paper, lines_of
from connectors.tryton.drafts import (
    Kind,
    NewLine,
    ShownLine,
    Totals,
    amount_of,
    check_quantity,
    priced,
    totals,
)
from connectors.tryton.holding import Parts, checked_parts, parts_guard
from connectors.tryton.rows import check_computed, computed, row, strong, target
from connectors.tryton.trials import Call, Untried, simulated_only, tried
from connectors.tryton.values import encoded
from connectors.tryton.writing import write_lines

Json = Any
"""Any JSON value."""

LineId = Annotated[int, Field(ge=1, le=2**31 - 1, description="Reading the document lists the ids of its lines.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class At:
    """Where a line stands: in which document, and which one of its lines."""

    document: int
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What is to be different of a line."""

    quantity: str | None
    unit_price: str | None

    @property
    def values(self) -> dict[str, Json]:
        """Return what Tryton is sent.

        Raises:
            Refused: nothing would be different.
        """
        if self.quantity is None and self.unit_price is None:
            raise Refused("Give a quantity or a unit price, or both; else nothing would change.")
        given = {} if self.quantity is None else {"quantity": float(self.quantity)}
        return given if self.unit_price is None else {**given, "unit_price": encoded(Decimal(self.unit_price))}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft(Generic[D]):
    """A draft and its lines as they were read."""

    paper: Paper[D]
    found: D
    lines: Sequence[LineRow]
    document: Mapping[str, Json]
    """What Tryton needs to know of it to fill in a line."""

    @property
    def kind(self) -> Kind:
        return self.paper.kind

    @property
    def before(self) -> Face:
        """Return the document as it stands."""
        return self.paper.face_with(self.found, self.lines)

    def line(self, line_id: int) -> LineRow:
        """Return one line.

        Raises:
            NotFound: the document has no such line.
        """
        for line in self.lines:
            if line.id == line_id and line.type == "line":
                return line
        name = self.kind.parent
        raise NotFound(f"{name.capitalize()} {self.found.id} has no line {line_id}; {name}_get lists its lines.")

    async def guards(self, context: Context, *more: Precondition) -> tuple[Precondition, ...]:
        """Return the guards of a change of the lines: the document itself, all its lines, and `more`."""
        whole = await parts_guard(context, _all_lines(self.kind, self.found.id), [_parts(self.kind, self.lines)])
        return (strong(self.kind.model, self.found), whole, *more)


async def preview_adding(context: Context, paper: Paper[D], number: int, line: NewLine) -> Preview:
    """Return the preview of adding `line` to a draft."""
    draft = await _draft(context, paper, number)
    new = await priced(context, paper.kind, draft.document, line)
    sums = await totals(context, paper.kind, draft.document, [*map(_counted, draft.lines), new.counted])
    change = _change(draft, [*draft.before.lines, new.shown(draft.found.minor)], sums)
    guards = await draft.guards(context, computed(_filled(paper.kind, number), dict(new.values)))
    return await _executed(context, _preview((change,), guards), draft, ["create", [dict(new.values)]])


async def add_line(context: Context, paper: Paper[D], number: int, line: NewLine) -> frozenset[int]:
    """Add `line` to a draft; return the ids of the lines that were there before.

    Raises:
        Conflict: somebody changed the document or a line of it first, or Tryton fills in something else by now.
    """
    draft = await _draft(context, paper, number)
    held = checked_parts(context, _all_lines(paper.kind, number), [_parts(paper.kind, draft.lines)])
    values = dict((await priced(context, paper.kind, draft.document, line)).values)
    check_computed(context, _filled(paper.kind, number), values)
    await write_lines(context, [(paper.kind.model, number)], ["create", [values]], held)
    return frozenset(line.id for line in draft.lines)


async def added(context: Context, kind: Kind, number: int, known: frozenset[int]) -> int:
    """Return the id of the line that is not among those `known`."""
    return max(line.id for line in await lines_of(context, kind, number) if line.id not in known)


async def preview_changing(context: Context, paper: Paper[D], at: At, given: Given) -> Preview:
    """Return the preview of changing one line of a draft."""
    draft = await _draft(context, paper, at.document)
    line, minor = draft.line(at.line), draft.found.minor
    changed = await _changed(context, draft, line, given)
    after = [changed if other.id == at.line else other for other in draft.lines]
    sums = await totals(context, paper.kind, draft.document, [*map(_counted, after)])
    changes = (
        Change(
            target=target(paper.kind.line, at.line),
            effect=Effect.UPDATE,
            before=line.shown(minor).model_dump(mode="json"),
            after=changed.shown(minor).model_dump(mode="json"),
        ),
        _change(draft, [other.shown(minor) for other in after if other.type == "line"], sums),
    )
    guards = await draft.guards(context, strong(paper.kind.line, line))
    covered = ("prices that depend on the quantity: the unit price stays as it is",) if given.unit_price is None else ()
    simulated = _preview(changes, guards).model_copy(update={"not_covered": covered})
    return await _executed(context, simulated, draft, ["write", [at.line], given.values])


async def change_line(context: Context, kind: Kind, at: At, given: Given) -> None:
    """Change one line of a draft.

    Raises:
        Conflict: somebody changed it, another line, or the document first.
    """
    await _write_one(context, kind, at, ["write", [at.line], given.values])


async def preview_removing(context: Context, paper: Paper[D], at: At) -> Preview:
    """Return the preview of taking one line away from a draft."""
    draft = await _draft(context, paper, at.document)
    line = draft.line(at.line)
    left = [other for other in draft.lines if other.id != at.line]
    sums = await totals(context, paper.kind, draft.document, [*map(_counted, left)])
    shown = [other.shown(draft.found.minor) for other in left if other.type == "line"]
    guards = await draft.guards(context, strong(paper.kind.line, line))
    return await _executed(context, _preview((_change(draft, shown, sums),), guards), draft, ["delete", [at.line]])


async def remove_line(context: Context, kind: Kind, at: At) -> None:
    """Take one line away from a draft.

    Raises:
        Conflict: somebody changed it, another line, or the document first.
    """
    await _write_one(context, kind, at, ["delete", [at.line]])


async def observed(
    context: Context, paper: Paper[D], number: int, line_id: int | None = None
) -> Mapping[str, BaseModel | None]:
    """Return a document, and one line of it, as previews name and show them."""
    face = {target(paper.kind.model, number): await paper.face_of(context, number)}
    if line_id is None:
        return face
    found = await row(context, paper.kind.model, paper.row, number, called=paper.kind.parent)
    lines = {line.id: line.shown(found.minor) for line in await lines_of(context, paper.kind, number)}
    return {target(paper.kind.line, line_id): lines.get(line_id), **face}


async def _draft(context: Context, paper: Paper[D], number: int) -> _Draft[D]:
    # The lines come first: a line changed between the two reads then makes the guard stale, never the amounts.
    lines = await lines_of(context, paper.kind, number)
    found = await row(context, paper.kind.model, paper.row, number, called=paper.kind.parent)
    paper.require_draft(found)
    document = {"company": found.company, "party": found.party.id, "currency": found.currency_id}
    draft = _Draft(paper=paper, found=found, lines=lines, document={**document, **await paper.told(context, found)})
    if paper.keeps_taxes:
        await _require_current_taxes(context, draft)
    return draft


async def _require_current_taxes(context: Context, draft: _Draft[D]) -> None:
    """Return if the taxes of the document are those of its lines; else a change would move more than it shows.

    Raises:
        Refused: a line was changed behind the document's back, and Tryton would compute the taxes anew with any change.
    """
    sums = await totals(context, draft.kind, draft.document, [*map(_counted, draft.lines)])
    if sums.total_amount != draft.found.total_amount:
        name, number = draft.kind.parent, draft.found.id
        raise Refused(f"The taxes of {name} {number} are not those of its lines; open it in Tryton and save it once.")


async def _changed(context: Context, draft: _Draft[D], line: LineRow, given: Given) -> LineRow:
    counted = {**_counted(line), **given.values}
    if given.quantity is not None and line.unit is not None:
        check_quantity(given.quantity, line.unit)
    price = (line.unit_price or Decimal(0)) if given.unit_price is None else Decimal(given.unit_price)
    amount = await amount_of(context, draft.kind, draft.document, (counted["quantity"], price))
    return line.model_copy(update={"quantity": counted["quantity"], "unit_price": price, "amount": amount})


async def _write_one(context: Context, kind: Kind, at: At, what: Sequence[Json]) -> None:
    parts = [_parts(kind, await lines_of(context, kind, at.document))]
    held = checked_parts(context, _all_lines(kind, at.document), parts)
    await write_lines(context, [(kind.model, at.document), (kind.line, at.line)], what, held)


async def _executed(context: Context, simulated: Preview, draft: _Draft[D], what: Sequence[Json]) -> Preview:
    """Return what a trial of the change of lines shows, or what was simulated where Tryton cannot try."""
    found, paper = draft.found, draft.paper
    asked = paper.asked(found.id)
    call = Call(
        model=paper.kind.model,
        method="write",
        arguments=[[found.id], {"lines": [list(what)]}],
        guards=simulated.preconditions,
        company=found.company,
        rests_on=asked[1:],
    )
    trial = await tried(context, call, asked)
    if isinstance(trial, Untried):
        return simulated_only(simulated, trial)
    lines = {target(paper.kind.line, line.id): line.shown(found.minor) for line in trial.rows(1, LineRow)}
    shown: dict[str, BaseModel] = {target(paper.kind.model, found.id): paper.tried_face(trial), **lines}
    changes = [
        change.model_copy(update={"after": shown[change.target].model_dump(mode="json")})
        for change in simulated.changes
    ]
    executed = _preview(tuple(changes), simulated.preconditions)
    return executed.model_copy(update={"not_covered": simulated.not_covered, **trial.sureness})


def _preview(changes: tuple[Change, ...], guards: tuple[Precondition, ...]) -> Preview:
    whole = changes[-1]
    before, after = whole.before or {}, whole.after or {}
    moved = abs(after["total_minor"] - before["total_minor"])
    blast = Blast(rows=2, parties=1, money_minor=moved, currency=before["currency"])
    return Preview(changes=changes, preconditions=guards, blast=blast)


def _change(draft: _Draft[D], lines: Sequence[ShownLine], sums: Totals) -> Change:
    before, minor = draft.before, draft.found.minor
    after = before.model_copy(
        update={
            "lines": list(lines),
            "untaxed_minor": minor(sums.untaxed_amount),
            "tax_minor": minor(sums.tax_amount),
            "total_minor": minor(sums.total_amount),
        }
    )
    return Change(
        target=target(draft.kind.model, draft.found.id),
        effect=Effect.UPDATE,
        before=before.model_dump(mode="json"),
        after=after.model_dump(mode="json"),
    )


def _counted(line: LineRow) -> dict[str, Json]:
    return {
        "id": line.id,
        "type": line.type,
        "quantity": line.quantity,
        "unit_price": None if line.unit_price is None else encoded(line.unit_price),
        "amount": None if line.amount is None else encoded(line.amount),
        "taxes": line.taxes,
    }


def _parts(kind: Kind, lines: Sequence[LineRow]) -> Parts:
    return Parts(model=kind.line, field=kind.parent, rows=lines)


def _all_lines(kind: Kind, number: int) -> str:
    return f"{kind.model}/{number}/lines"


def _filled(kind: Kind, number: int) -> str:
    return f"{kind.model}/{number}/filled in"
