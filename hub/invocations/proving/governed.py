"""A laboratory's governed way: the very `invoke` of every hub, with an agent, an approver and strict policy."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import update

from hub.approvals import Ballot, Choice
from hub.bundles import Publication, publish_bundle
from hub.core.errors import HubError
from hub.dryrun.tables import PreviewRow
from hub.identity.accounts import create_default_groups, set_groups
from hub.identity.clients import NewAgent, create_agent
from hub.identity.directory import get
from hub.identity.enrolment import enrol
from hub.identity.principals import Caller, Principal, PrincipalKind
from hub.identity.resources import EVERYTHING
from hub.invocations.commit import commit
from hub.invocations.invoke import invoke
from hub.invocations.runtime import Runtime
from hub.invocations.values import Call, Claims, Invocation
from hub.invocations.votes import vote
from hub.storage import now

Json = Any
"""Any JSON value."""

_STRICT: Final = """
@id("anybody") permit (principal, action, resource);
@id("ask-always") @require("approvers:1") @ttl("PT1H") @why("A person decides about every write.")
forbid (principal, action == Action::"autocommit", resource);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """Who calls and who decides in a laboratory."""

    runtime: Runtime
    caller: Caller
    approver: Principal

    async def propose(self, tool: str, arguments: Mapping[str, Json]) -> Invocation:
        """Return how a call stands after `invoke`.

        Raises:
            HubError: the hub refused the call as such.
        """
        call = Call(
            caller=self.caller,
            server=EVERYTHING,
            tool=tool,
            arguments=dict(arguments),
            trace_id=uuid4().hex,
            claims=Claims(purpose="the contract kit"),
            idempotency_key=uuid4().hex,
        )
        return await invoke(call, self.runtime)

    async def commit(self, invocation: Invocation) -> Invocation:
        """Try to carry out what was proposed, as the worker would."""
        return await commit(invocation, self.runtime)

    async def approve(self, invocation: Invocation) -> Invocation:
        """Approve what `invocation` shows.

        Raises:
            HubError: nothing is asked.
        """
        if invocation.question is None:
            raise HubError("Nothing is asked about it.")
        async with self.runtime.database.reading() as tx:
            at = await now(tx)
        ballot = Ballot(
            invocation_id=invocation.id,
            digest=invocation.question.digest,
            choice=Choice.APPROVE,
            reason="Tried by the contract kit.",
            voter=self.approver,
            authenticated_at=at,
        )
        return await vote(ballot, self.runtime)

    async def forge_preview(self, invocation: Invocation) -> None:
        """Put another preview on record than the one that was approved."""
        assert invocation.preview is not None  # noqa: S101  # nothing is asked about without one
        preview = invocation.preview.preview
        wider = preview.blast.model_copy(update={"rows": (preview.blast.rows or 0) + 1})
        forged = preview.model_copy(update={"blast": wider})
        row = update(PreviewRow).where(PreviewRow.invocation_id == invocation.id)
        async with self.runtime.database.transaction() as tx:
            await tx.execute(row.values(body=forged.model_dump(mode="json")))


async def open_office(runtime: Runtime, connector: str) -> Office:
    """Settle the people and the policy, and return the office."""
    authority = runtime.authority
    scopes = frozenset({f"{connector}:read", f"{connector}:write"})
    publication = Publication(environment=runtime.environment, text=_STRICT, by=None)
    async with runtime.database.transaction() as tx:
        await create_default_groups(tx)
        await publish_bundle(tx, runtime.database, runtime.keys, publication)
        asker = await enrol(tx, kind=PrincipalKind.USER, name="asker", display_name="Asker")
        approver = await enrol(tx, kind=PrincipalKind.USER, name="approver", display_name="Approver")
        decides = await set_groups(tx, approver, frozenset({"approvers"}), authority)
        agent = await create_agent(
            tx,
            NewAgent(
                name="agent",
                display_name="Agent",
                owner_id=asker,
                allowed_scopes=scopes,
                allowed_servers=frozenset({EVERYTHING}),
            ),
            authority,
        )
        caller = Caller(actor=agent, on_behalf_of=await get(tx, asker), scopes=scopes, client_id=agent.id)
    return Office(runtime=runtime, caller=caller, approver=decides)
