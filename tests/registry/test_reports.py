"""What is reported of a run elsewhere counts only if a registered runner signed exactly that, about what is here."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from registry_crm import anybody, connect, crm, operation, register, write

from connectors.sdk.spec import Compensation
from connectors.sdk.vocabulary import Reversal
from hub.audit import EventKind, events_of
from hub.core.errors import Conflict, Forbidden, HubError, InputError, NotFound
from hub.identity.authority import Authority
from hub.identity.enrolment import enrol
from hub.identity.principals import PrincipalKind
from hub.registry import (
    Badge,
    BadgeVerdict,
    Catalog,
    Grade,
    Promise,
    Source,
    badge_for,
    claim_for,
    keep_badge,
    proof_digest,
    register_connector,
)
from hub.registry.reports import Report, ReportedLine, Signature, keep_report
from hub.registry.runners import NewRunner, register_runner, revoke_runner, runners_of
from hub.storage import Database

pytestmark = pytest.mark.anyio

UNDO = Compensation(tool="deal_update", arguments={"id": "/input/id"}, kind=Reversal.EXACT)
CRM = crm(operation(), write(reversal="exact", compensation=UNDO))
OTHER = crm(operation(), write(), name="erp", artefact_digest="b" * 64)
KEY, FOREIGN = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()


def public(key: Ed25519PrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def report(*, verdict: BadgeVerdict = BadgeVerdict.PASSED, **changes: Any) -> Report:  # noqa: ANN401  # JSON and values
    """Return what the kit has just found of the CRM."""
    line = ReportedLine(
        operation="deal_update", promise=Promise.UNDO, verdict=verdict, grade=Grade.LIVE, reason="It was tried."
    )
    fields: dict[str, Any] = {
        "connector": "crm",
        "version": "1.0.0",
        "artefact_digest": CRM.artefact_digest,
        "system": "a CRM",
        "place": "CI run 12",
        "kit": "0.1.0",
        "checked_at": datetime.now(UTC),
        "covers": {"deal_update": proof_digest(CRM, CRM.operation("deal_update"))},
        "lines": (line,),
    }
    return Report(**fields | changes)


def signed(said: Report, key: Ed25519PrivateKey = KEY, runner: str = "ci") -> Signature:
    return Signature(runner=runner, value=base64.b64encode(key.sign(said.signed_bytes())).decode())


@dataclass(frozen=True, kw_only=True)
class Site:
    """A hub with two connectors, their owner, a stranger, an agent, and a registered runner of one of them."""

    database: Database
    console: Authority
    people: dict[str, str]
    runner_id: str

    async def send(self, said: Report, signature: Signature | None = None, *, by: str = "owner") -> Badge:
        authority = replace(self.console, by=self.people[by])
        async with self.database.transaction() as tx:
            return await keep_report(tx, said, signature, authority)

    async def known(self) -> tuple[Badge | None, Badge | None]:
        """Return the badge and what is reported beside it."""
        async with self.database.reading() as tx:
            return await badge_for(tx, CRM), await claim_for(tx, CRM)

    async def undo_proven(self) -> bool:
        return (await Catalog(self.database).resolve("deal_update", server="everything", caller=anybody())).undo_proven


@pytest.fixture
async def site(database: Database, authority: Authority) -> Site:
    people = dict[str, str]()
    kinds: Sequence[tuple[str, PrincipalKind]] = (
        ("owner", PrincipalKind.USER),
        ("stranger", PrincipalKind.USER),
        ("administrator", PrincipalKind.USER),
    )
    async with database.transaction() as tx:
        for name, kind in kinds:
            people[name] = await enrol(tx, kind=kind, name=name, display_name=name.title(), owner_id=None)
        people["agent"] = await enrol(
            tx, kind=PrincipalKind.SERVICE, name="ci", display_name="CI", owner_id=people["owner"]
        )
        await register_connector(tx, CRM, authority, owner_id=people["owner"])
        await register_connector(tx, OTHER, authority, owner_id=people["stranger"])
        new = NewRunner(name="ci", public_key=public(KEY), agent_id=people["agent"])
        runner = await register_runner(tx, "crm", new, authority)
    await connect(database, authority)
    return Site(database=database, console=authority, people=people, runner_id=runner.id)


async def test_what_an_owner_reports_is_shown_apart_and_proves_nothing(site: Site) -> None:
    sent = report()

    kept = await site.send(sent)

    badge, claim = await site.known()
    assert badge is None
    assert claim == kept
    assert (kept.origin.source, kept.origin.by, kept.origin.place, kept.origin.kit) == (
        Source.OWNER,
        "Owner",
        "CI run 12",
        "0.1.0",
    )
    assert not await site.undo_proven()


async def test_what_a_registered_runner_has_signed_counts_like_a_run_here(site: Site) -> None:
    sent = report()

    await site.send(sent, signed(sent))

    badge, claim = await site.known()
    assert claim is None
    assert badge is not None
    assert (badge.origin.source, badge.origin.by) == (Source.RUNNER, "ci")
    assert await site.undo_proven()
    async with site.database.reading() as tx:
        told = [one for one in await events_of(tx, "crm") if one.kind is EventKind.CONNECTOR_REPORTED]
    assert [(one.actor, one.facts["run_by"], one.facts["runner"]) for one in told] == [
        (site.people["owner"], "runner", site.runner_id)
    ]


async def test_what_is_reported_takes_the_place_of_no_run_here(site: Site) -> None:
    sent = report(verdict=BadgeVerdict.FAILED)
    await site.send(sent, signed(sent))

    await site.send(report())

    badge, claim = await site.known()
    assert badge is not None
    assert not badge.is_clean
    assert claim is not None
    assert claim.is_clean
    assert not await site.undo_proven()


EDITED: dict[str, dict[str, Any]] = {
    "a verdict": {"lines": report(verdict=BadgeVerdict.NOT_APPLICABLE).lines},
    "the system": {"system": "production"},
    "the moment": {"checked_at": datetime.now(UTC) - timedelta(hours=1)},
    "the place": {"place": "elsewhere"},
    "the kit": {"kit": "9.9.9"},
}


@pytest.mark.parametrize("what", EDITED)
async def test_a_report_that_was_edited_after_it_was_signed_is_refused(site: Site, what: str) -> None:
    original = report()

    with pytest.raises(Forbidden, match="not what the runner 'ci' has signed"):
        await site.send(original.model_copy(update=EDITED[what]), signed(original))

    assert await site.known() == (None, None)


@pytest.mark.parametrize(
    ("signature", "why"),
    [
        (lambda said: signed(said, FOREIGN), "not what the runner"),
        (lambda said: signed(said, runner="nobody"), "No runner 'nobody'"),
        (lambda said: signed(said).model_copy(update={"value": "not base64"}), "not what the runner"),
        (
            lambda said: Signature(
                runner="ci",
                value=base64.b64encode(
                    KEY.sign(said.signed_bytes().removeprefix(b"toolhub badge report 1\n"))
                ).decode(),
            ),
            "not what the runner",
        ),
    ],
    ids=["another key", "another name", "garbage", "signed for another purpose"],
)
async def test_a_signature_that_is_not_a_registered_runners_is_refused(
    site: Site, signature: Callable[[Report], Signature], why: str
) -> None:
    sent = report()

    with pytest.raises(Forbidden, match=why):
        await site.send(sent, signature(sent))

    assert await site.known() == (None, None)


FORGED: dict[str, tuple[dict[str, Any], type[HubError], str]] = {
    "other code": ({"artefact_digest": "c" * 64}, NotFound, "not registered with the code"),
    "another version": ({"version": "1.0.1"}, NotFound, "publish it first"),
    "another declaration": ({"covers": {"deal_update": "c" * 64}}, InputError, "declared otherwise"),
    "the declaration of another tool": (
        {"covers": {"deal_update": proof_digest(CRM, CRM.operation("deal_get"))}},
        InputError,
        "declared otherwise",
    ),
    "a connector that is not there": ({"connector": "hrm"}, NotFound, "no connector"),
    "a day ago": ({"checked_at": datetime.now(UTC) - timedelta(hours=25)}, InputError, "within a day"),
    "tomorrow": ({"checked_at": datetime.now(UTC) + timedelta(hours=25)}, InputError, "within a day"),
}


@pytest.mark.parametrize("what", FORGED)
async def test_a_report_about_something_else_is_refused(site: Site, what: str) -> None:
    changes, error, why = FORGED[what]
    sent = report(**changes)

    with pytest.raises(error, match=why):
        await site.send(sent, by="owner" if what != "a connector that is not there" else "stranger")

    assert await site.known() == (None, None)


async def test_a_report_about_somebody_elses_connector_is_refused(site: Site) -> None:
    theirs = report(
        connector="erp",
        artefact_digest=OTHER.artefact_digest,
        covers={"deal_update": proof_digest(OTHER, OTHER.operation("deal_update"))},
    )

    with pytest.raises(Forbidden, match="Only its owner or an administrator"):
        await site.send(theirs)
    with pytest.raises(Forbidden, match="No runner 'ci'"):  # a runner of one connector signs nothing about another
        await site.send(theirs, signed(theirs), by="stranger")
    with pytest.raises(Forbidden, match="Only its owner or an administrator"):
        await site.send(report(), by="stranger")


async def test_a_report_does_not_come_back(site: Site) -> None:
    good = report(checked_at=datetime.now(UTC) - timedelta(minutes=2))
    signature = signed(good)
    await site.send(good, signature)
    with pytest.raises(Conflict, match="as new as this report"):
        await site.send(good, signature)
    worse = report(verdict=BadgeVerdict.FAILED)
    await site.send(worse, signed(worse))

    with pytest.raises(Conflict, match="as new as this report"):
        await site.send(good, signature)

    assert not await site.undo_proven()


async def test_an_older_report_takes_the_place_of_no_newer_run_here(site: Site) -> None:
    sent = report(checked_at=datetime.now(UTC) - timedelta(minutes=2))
    await site.send(sent, signed(sent))
    badge, _ = await site.known()
    assert badge is not None
    async with site.database.transaction() as tx:
        await keep_badge(tx, replace(badge, checked_at=datetime.now(UTC), lines=()), site.console)

    late = report(checked_at=datetime.now(UTC) - timedelta(minutes=1))
    with pytest.raises(Conflict):
        await site.send(late, signed(late))


async def test_the_agent_of_a_runner_sends_what_the_runner_signed_and_nothing_else(site: Site) -> None:
    sent = report()

    with pytest.raises(Forbidden, match="Only its owner or an administrator"):
        await site.send(sent, by="agent")
    await site.send(sent, signed(sent), by="agent")

    assert await site.undo_proven()


async def test_a_revoked_runner_signs_nothing_more_and_its_name_is_not_used_again(site: Site) -> None:
    async with site.database.transaction() as tx:
        await revoke_runner(tx, "crm", site.runner_id, replace(site.console, by=site.people["owner"]))
    sent = report()

    with pytest.raises(Forbidden, match="No runner 'ci'"):
        await site.send(sent, signed(sent))
    async with site.database.transaction() as tx:
        with pytest.raises(Conflict, match="another name"):
            await register_runner(tx, "crm", NewRunner(name="ci", public_key=public(FOREIGN)), site.console)
        with pytest.raises(NotFound):
            await revoke_runner(tx, "crm", site.runner_id, site.console)
        assert [one.revoked_at is not None for one in await runners_of(tx, "crm")] == [True]


async def test_only_an_administrator_makes_a_runner(site: Site) -> None:
    new = NewRunner(name="mine", public_key=public(FOREIGN))
    for name in ("owner", "stranger", "agent"):
        async with site.database.transaction() as tx:
            with pytest.raises(Forbidden, match="Only an administrator may register a runner"):
                await register_runner(tx, "crm", new, replace(site.console, by=site.people[name]))


async def test_a_stranger_revokes_no_runner_and_none_of_another_connector(site: Site) -> None:
    async with site.database.transaction() as tx:
        with pytest.raises(Forbidden):
            await revoke_runner(tx, "crm", site.runner_id, replace(site.console, by=site.people["stranger"]))
        with pytest.raises(NotFound):
            await revoke_runner(tx, "erp", site.runner_id, site.console)


@pytest.mark.parametrize("key", ["", "x", base64.b64encode(bytes(31)).decode(), base64.b64encode(bytes(64)).decode()])
async def test_a_key_that_is_none_is_refused(site: Site, key: str) -> None:
    async with site.database.transaction() as tx:
        with pytest.raises(InputError, match="Ed25519"):
            await register_runner(tx, "crm", NewRunner(name="other", public_key=key), site.console)


async def test_what_was_said_of_a_release_says_nothing_of_the_next(site: Site) -> None:
    await site.send(report())
    changed = crm(operation(), write(description="Change one deal of ours."))
    await register(site.database, site.console, changed)

    async with site.database.reading() as tx:
        assert await claim_for(tx, changed) is None


def test_a_report_covers_what_it_tells_of() -> None:
    with pytest.raises(ValueError, match="covers exactly"):
        report(covers={})
