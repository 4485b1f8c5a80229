"""The consent page: an agent asks to act for somebody, who allows all of it, some of it, or nothing."""

from typing import Final
from urllib.parse import urlsplit

from starlette.responses import RedirectResponse, Response

from hub.identity.grants_consent import ConsentQuestion, consent_question, deny_consent, grant_consent
from hub.web.headers import page_headers
from hub.web.inert import inert_name
from hub.web.scope_words import scope_line
from hub.web.views.entry import ConsentPage
from hub.web.visits import Shown, Visit, show

_THIS_COMPUTER: Final = frozenset({"127.0.0.1", "localhost", "::1"})


async def show_consent(visit: Visit) -> Response:
    """Show who asks for what; from now on the request is this person's to answer."""
    async with visit.runtime.database.transaction() as tx:
        question = await consent_question(tx, visit.request.path_params["request_id"], visit.person)
    shown = Shown(
        template="consent.html",
        title="Allow an agent",
        page=_page(question),
        form_target=question.redirect_uri,
    )
    return show(visit, shown)


async def answer_consent(visit: Visit) -> Response:
    """Give the agent the scopes that were left ticked, or nothing; then the browser goes back to the agent."""
    request_id, authority = visit.request.path_params["request_id"], visit.own_authority
    async with visit.runtime.database.transaction() as tx:
        if visit.form.one("answer") == "allow":
            target = await grant_consent(tx, request_id, visit.session, visit.form.all("scope"), authority)
        else:
            target = await deny_consent(tx, request_id, visit.session, authority)
    headers = {**page_headers(is_secure=visit.is_secure), "Referrer-Policy": "no-referrer"}
    return RedirectResponse(target, status_code=303, headers=headers)


def _page(question: ConsentQuestion) -> ConsentPage:
    return ConsentPage(
        request_id=question.request_id,
        agent=inert_name(question.agent.display_name),
        agent_name=question.agent.name,
        agent_owner=question.owner.display_name if question.owner else "nobody",
        server=question.server,
        scopes=tuple(scope_line(scope, given_before=scope in question.given_before) for scope in question.scopes),
        returns_to=_place(question.redirect_uri),
        is_more=bool(question.given_before),
        known_by=urlsplit(question.document).netloc if question.document else "",
        knows_itself_alone=question.has_registered_itself,
        returns_here=urlsplit(question.redirect_uri).hostname in _THIS_COMPUTER,
    )


def _place(uri: str) -> str:
    parts = urlsplit(uri)
    return parts.netloc or f"the app that owns {parts.scheme}:"
