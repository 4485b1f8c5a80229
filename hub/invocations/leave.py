"""Whether an agent may still have what it once asked for: its own leave, and that of the person it acts for.

Who passed their leave on to it bounds it as much as it is bounded itself. All that was looked at when the call came in.
What waits for days may be taken back meanwhile, and then it is not sent, whoever approves it: an agent that needs it
after all asks anew.
"""

from hub.core.errors import NotFound
from hub.identity.acting import leave_since
from hub.identity.directory import get_many
from hub.identity.principals import Caller, PrincipalKind
from hub.identity.resources import may_use, resources_to
from hub.identity.scopes import covers
from hub.invocations.callers import is_ending
from hub.invocations.journal import load
from hub.invocations.values import Invocation
from hub.storage import Tx


async def why_no_leave(tx: Tx, standing: Invocation, caller: Caller, *, public_url: str) -> str:
    """Return in a sentence why `caller` may not have `standing` any more; empty while it may.

    What takes back a step of a plan is sent nevertheless: it ends what was begun while there was leave.
    """
    agent, person = caller.actor, caller.on_behalf_of
    if is_ending(standing) or agent.kind is PrincipalKind.USER:
        return ""
    plan = None if standing.part is None else await load(tx, standing.part.plan_id)
    if plan is not None and (why := await why_no_leave(tx, plan, caller, public_url=public_url)):
        return why  # it was asked for by a tool of its own, which takes leave of its own
    wanted = standing.connector, standing.tool_name, standing.effect
    if (why := await _why_none_may(tx, standing, caller)) or person is None:
        return why
    asked_at = (plan or standing).created_at
    resources = {*resources_to(standing.server, public_url), *([standing.resource] if standing.resource else [])}
    bounds = await leave_since(tx, caller, resources, since=asked_at)
    if all(covers(each, *wanted) for each in bounds):
        return ""
    for one in (agent, person):
        if one.is_suspended:
            return f"{one.display_name} is suspended."
    return f"That {agent.display_name} may do this in the name of {person.display_name} was taken back since it asked."


async def _why_none_may(tx: Tx, standing: Invocation, caller: Caller) -> str:
    """Return why the agent, or one through which it has its leave, may not have `standing` in anybody's name."""
    hands = await get_many(tx, caller.passed_on_by) if caller.passed_on_by else {}
    for one in (caller.actor, *hands.values()):
        if not covers(one.allowed_scopes, standing.connector, standing.tool_name, standing.effect):
            return f"{one.display_name} may no longer use {standing.tool_name}."
    if not may_use(caller.actor.usable_servers, standing.server):
        return f"{caller.actor.display_name} may no longer use {standing.server}."
    for one in hands.values():  # whether the agent itself is suspended is asked whenever its tool is
        if one.is_suspended:
            return f"{one.display_name} is suspended."
        if not may_use(one.usable_servers, standing.server):
            return f"{one.display_name}, which passed its leave on, may no longer use {standing.server}."
    return ""


async def demand_leave(tx: Tx, standing: Invocation, caller: Caller, *, public_url: str) -> None:
    """Let `standing` go on if its caller may have it still.

    Raises:
        NotFound: it may not; the message says why.
    """
    if why := await why_no_leave(tx, standing, caller, public_url=public_url):
        raise NotFound(why)
