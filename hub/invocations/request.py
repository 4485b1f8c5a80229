"""A request that has been understood: the call, the tool it names, the canonical arguments; and its facts."""

from dataclasses import dataclass, field
from typing import Any

from hub.core.canonical import digest
from hub.core.ids import new_id
from hub.invocations.journal import claims_json
from hub.invocations.secrecy import Bound
from hub.invocations.states import State
from hub.invocations.tables import NewRow
from hub.invocations.values import Call
from hub.keys import Keyring
from hub.registry import PublishedTool

Json = Any
"""Any JSON value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked, by whom, of which exact version of a tool."""

    call: Call
    tool: PublishedTool
    arguments: dict[str, Json]
    """As the connector gets them, secrets included; what is put on record is `bound`."""
    bound: Bound
    policy_digest: str
    case_key: str | None = None
    """What tells the case that the caller named from every other, without naming it."""
    invocation_id: str = field(default_factory=lambda: new_id("inv"))
    """What it will be called on record, unless it turns out to repeat an earlier call."""

    @property
    def way(self) -> dict[str, Json]:
        """Return what its first event says of how it came: nothing, when it was called by its own name."""
        return {} if self.call.through is None else {"through": self.call.through}

    @property
    def intent_digest(self) -> str:
        """Return the digest of everything the caller's intent depends on."""
        caller = self.call.caller
        return intent_digest(
            self.tool,
            agent_id=caller.actor.id,
            on_behalf_of_id=caller.on_behalf_of.id if caller.on_behalf_of else None,
            arguments=self.bound,
            undoes=self.call.undoes,
        )

    @property
    def repeat_key(self) -> str:
        """Return what recognises this call when it comes again (governance, section 7)."""
        call, caller = self.call, self.call.caller
        who = {"agent": caller.actor.id, "on_behalf_of": caller.on_behalf_of.id if caller.on_behalf_of else None}
        if call.undoes is not None:
            return undo_key(call.undoes)
        if call.part is not None:
            return digest({"plan": call.part.plan_id, "step": call.part.step})
        if call.idempotency_key is not None:
            return digest({**who, "key": call.idempotency_key})
        what = {"server": call.server, "tool": self.tool.tool.id, "connection": self.tool.connection.id}
        return digest({**who, **what, **self.bound.as_json(), "run": call.claims.run})


def new_row(request: Request, *, state: State) -> NewRow:
    """Return the row of a new invocation, without its times."""
    tool, call = request.tool, request.call
    return NewRow(
        id=request.invocation_id,
        state=state.value,
        revision=1,
        server=tool.server,
        environment=tool.environment,
        tool_name=tool.name,
        connector=tool.connector.name,
        tool_id=tool.tool.id,
        tool_version_id=tool.version.id,
        tool_version_digest=tool.version.digest,
        connection_id=tool.connection.id,
        connection_generation=tool.connection.generation,
        effect=tool.effect.value,
        tier=tool.tier_for(request.arguments).value,
        agent_id=call.caller.actor.id,
        agent_version=call.caller.actor.agent_version,
        on_behalf_of_id=call.caller.on_behalf_of.id if call.caller.on_behalf_of else None,
        passed_on_by=list(call.caller.passed_on_by) or None,
        issuer=call.caller.issuer,
        resource=call.caller.resource,
        leave_from=call.caller.leave_from,
        arguments=request.bound.shown,
        claims=claims_json(call.claims),
        run_id=call.claims.run,
        case_key=request.case_key,
        provenance=[],
        trace_id=call.trace_id,
        intent_digest=request.intent_digest,
        policy_digest=request.policy_digest,
        fence=0,
        sends=0,
        findings=[],
        undoes=call.undoes,
        undo_until=call.undo_until,
        part_of=call.part.plan_id if call.part else None,
        step=call.part.step if call.part else None,
    )


def case_key(name: str | None, keys: Keyring) -> str | None:
    """Return what stands for a case in numbers that outlive what was said of it: an HMAC, which nobody can guess."""
    return None if name is None else keys.authenticate(name.encode(), context="case")[:32]


def undo_key(invocation_id: str) -> str:
    """Return what recognises an undo of an invocation, whoever asks for it: there is one at a time."""
    return digest({"undoes": invocation_id})


def intent_digest(
    tool: PublishedTool, *, agent_id: str, on_behalf_of_id: str | None, arguments: Bound, undoes: str | None
) -> str:
    """Return SHA-256 over everything the caller's intent depends on (governance, section 4)."""
    return digest(
        {
            **({} if undoes is None else {"undoes": undoes}),
            "environment": tool.environment,
            "tool": tool.tool.id,
            "tool_version_digest": tool.version.digest,
            "connection": tool.connection.id,
            "connection_generation": tool.connection.generation,
            "agent": agent_id,
            "on_behalf_of": on_behalf_of_id,
            **arguments.as_json(),
        }
    )
