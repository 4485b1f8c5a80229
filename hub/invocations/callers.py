"""The caller of an invocation that is continued later: the same principals as they stand now, and no token."""

from dataclasses import replace

from hub.identity import directory
from hub.identity.declarations import as_of
from hub.identity.principals import Caller, PrincipalKind
from hub.invocations.values import Invocation
from hub.storage import Tx


async def caller_of(tx: Tx, invocation: Invocation) -> Caller:
    """Return who asked for `invocation`, an agent in the version that asked, and on what leave.

    It holds no scopes: they were checked when the call came in.
    """
    user = invocation.on_behalf_of_id
    caller = Caller(
        actor=await as_of(tx, await directory.get(tx, invocation.agent_id), invocation.agent_version),
        on_behalf_of=await directory.get(tx, user) if user else None,
        passed_on_by=invocation.passed_on_by,
        issuer=invocation.issuer,
        resource=invocation.resource,
        leave_from=invocation.leave_from,
    )
    return ending(caller, invocation.server) if is_ending(invocation) else caller


def is_ending(invocation: Invocation) -> bool:
    """Return whether it takes back a step of a plan: that ends what was begun while there was leave."""
    return invocation.part is not None and invocation.undoes is not None


def ending(caller: Caller, server: str) -> Caller:
    """Return the caller as it ends at `server` what it has begun there, whether or not it may still use that."""
    actor = replace(caller.actor, allowed_servers=caller.actor.allowed_servers | {server})
    return replace(caller, actor=actor)


def voters_excluded(caller: Caller) -> frozenset[str]:
    """Return who may not decide a call of `caller`: the agent, and the user it acts for or else its owner."""
    return frozenset(one for one in (caller.actor.id, requester_id(caller)) if one is not None)


def requester_id(caller: Caller) -> str | None:
    """Return the person whose call it is: the user the agent acts for, or else its owner; a user's own is its own."""
    if caller.actor.kind is PrincipalKind.USER:
        return caller.subject.id
    return caller.on_behalf_of.id if caller.on_behalf_of else caller.actor.owner_id
