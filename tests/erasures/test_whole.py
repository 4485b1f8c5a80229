"""What belongs to a call goes with it: steps of a plan, secrets, answers kept encrypted, and files made meanwhile."""

import io
from datetime import timedelta

import pytest
from plans.errand import approved, carried_out, offer
from sqlalchemy import select

from erasures.office import TELLING, Office, one
from hub.audit import EvidenceOrder, ExportOrder, Policy, evidence_lines, export, export_lines, verify_evidence
from hub.core.errors import Conflict
from hub.dryrun.tables import PreviewRow
from hub.erasures import Keeping, retain
from hub.invocations.journal import load
from hub.invocations.tables import InvocationRow
from hub.reviews import NewReview, ReviewKind, put_review
from hub.storage import Tx, now

pytestmark = pytest.mark.anyio


async def no_policy(tx: Tx, digest: str) -> Policy | None:
    """Know none of the policies that decided: evidence leaves them out then."""
    del tx, digest
    return None


async def test_a_plan_goes_with_all_of_its_steps(office: Office) -> None:
    world = office.world
    await offer(world)
    plan = await carried_out(world, await approved(world, name=TELLING))
    async with office.database.reading() as tx:
        mine = select(InvocationRow.id).where(InvocationRow.part_of == plan.id).order_by(InvocationRow.id)
        steps = [await load(tx, each) for each in await tx.scalars(mine)]
    assert {"invocations", "previews"} <= {*await office.tables_with(TELLING)}

    erased = await office.erase(one(steps[0]))

    assert erased.counts["invocations"] == 1 + len(steps)
    assert await office.tables_with(TELLING) == []
    assert (await office.proof()).is_sound


async def test_what_is_kept_encrypted_goes_too(office: Office) -> None:
    done = await office.written()
    async with office.database.reading() as tx:
        (passed,) = await tx.scalars(select(PreviewRow.sealed_exchanges).where(PreviewRow.invocation_id == done.id))

    await office.erase(one(done))

    async with office.database.reading() as tx:
        row = await tx.get(InvocationRow, done.id)
        (left,) = await tx.scalars(select(PreviewRow.sealed_exchanges).where(PreviewRow.invocation_id == done.id))
    assert row is not None
    assert (passed is not None, left) == (True, None)
    assert (row.sealed_arguments, row.sealed_before, row.sealed_output) == (None, None, None)


async def test_evidence_of_an_erased_call_proves_what_is_left_and_says_what_was_erased(office: Office) -> None:
    done = await office.written()
    erased = await office.erase(one(done))

    order = EvidenceOrder(by=None, subject=done.id, policy=no_policy, with_values=True)
    lines = [line async for line in evidence_lines(office.database, office.keys, order)]
    report, _ = verify_evidence(lines)

    assert (report.findings, report.erased) == ([], erased.counts["values"])


async def test_an_export_that_values_are_erased_under_says_so_instead_of_ending_unproven(office: Office) -> None:
    asked = await office.ask(one(await office.written()))
    lines = export_lines(office.database, office.keys, ExportOrder(by=None, with_values=True))
    await anext(lines)

    await office.grant(asked)

    with pytest.raises(Conflict, match="export again"):
        async for _ in lines:
            pass
    again = io.StringIO()
    await export(office.database, office.keys, again, ExportOrder(by=None, with_values=True))


async def test_what_went_under_broken_glass_is_reviewed_before_it_is_erased_or_retired(office: Office) -> None:
    done = await office.written()
    glass = NewReview(
        kind=ReviewKind.GLASS,
        approval_digest=done.approval_digest or "",
        invocation_id=done.id,
        environment=done.environment,
        agent_id=done.agent_id,
        tool_id=done.tool_id,
        tool_name=done.tool_name,
        reviewers=("approvers",),
        excluded=frozenset(),
        breaker_id=office.world.carl.id,
        why=TELLING,
    )
    async with office.database.transaction() as tx:
        await put_review(tx, glass, opened_at=await now(tx))

    with pytest.raises(Conflict, match="nobody has reviewed"):
        await office.ask(one(done))
    await retain(office.database, office.keys, Keeping(bodies=timedelta(0), decisions=timedelta(0)))

    async with office.database.reading() as tx:
        assert (await load(tx, done.id)).erased_at is None
