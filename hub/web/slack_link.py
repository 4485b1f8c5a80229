"""My Slack account: which one speaks for the visitor, a code to link one, and an end to it."""

from dataclasses import dataclass

from starlette.responses import Response

from hub.channels.slack import SLACK
from hub.core.errors import FreshLoginNeeded
from hub.identity.linked import links_of, offer_code, unlink
from hub.storage import now
from hub.web.moments import At, at
from hub.web.visits import Shown, Visit, redirect, redirect_telling, show


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackPage:
    """Which account is linked, if one is, or the code that was just made, which is shown once."""

    account: str = ""
    team: str = ""
    since: At | None = None
    code: str = ""


async def show_slack(visit: Visit) -> Response:
    """Show which account in Slack speaks for the visitor."""
    return await _shown(visit)


async def make_code(visit: Visit) -> Response:
    """Show a code, once, that links the account from which it is sent."""
    try:
        async with visit.runtime.database.transaction() as tx:
            code = await offer_code(tx, visit.person, SLACK, authenticated_at=visit.session.authenticated_at)
    except FreshLoginNeeded:
        return redirect("/fresh-login?next=/slack")
    return await _shown(visit, code=code)


async def end_link(visit: Visit) -> Response:
    """Let no account in Slack speak for the visitor any more."""
    async with visit.runtime.database.transaction() as tx:
        await unlink(tx, visit.person.id, SLACK, visit.own_authority)
    return redirect_telling(visit, "/slack", "No account in Slack speaks for you any more.")


async def _shown(visit: Visit, *, code: str = "") -> Response:
    async with visit.runtime.database.reading() as tx:
        link = (await links_of(tx, SLACK, [visit.person.id])).get(visit.person.id)
        moment = await now(tx)
    page = SlackPage(code=code)
    if link is not None:
        there = link.elsewhere
        page = SlackPage(account=there.account, team=there.team, since=at(link.linked_at, now=moment), code=code)
    return show(visit, Shown(template="slack.html", title="My Slack account", page=page, here="approvals"))
