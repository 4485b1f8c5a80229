"""What comes from Slack: buttons, the modal and the command, each signed, each only once; all else is refused alike.

A vote from here is a vote like any other: by a person who is linked, on the digest that the message showed, with every
check that a vote has. Who is not linked is shown the way to the page, and decides nothing.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import parse_qs

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from hub.approvals import Ballot, Choice, Way
from hub.channels.slack import SLACK, refresh, reply
from hub.channels.slack_api import SlackApi, SlackApp
from hub.channels.slack_blocks import APPROVE, REASON, REJECT, VETO, Ask, veto_view
from hub.channels.slack_requests import Signed, admit
from hub.core.errors import HubError, Malformed, Unauthenticated
from hub.core.texts import check_text
from hub.identity.authority import Authority
from hub.identity.linked import Elsewhere, Link, link, speaker, unlink
from hub.identity.principals import Caller, Principal
from hub.invocations.queries import look_at
from hub.invocations.runtime import Runtime
from hub.invocations.votes import vote
from hub.outbox import NotNow

LONGEST: Final = 512 * 1024
"""Of a request, in bytes: a button brings the message along that it stands in."""
_MODAL_SECONDS: Final = 2.5
"""Slack waits for three seconds for the answer to a press, and lets a modal be opened for as long."""
_DECIDED: Final = {Choice.APPROVE: "Your approval is on record.", Choice.REJECT: "Your rejection is on record."}
_HELP: Final = "Send `{command} link CODE` with a code from {page}, or `{command} unlink`."

_log = structlog.get_logger(__name__)

Json = Any
"""Any JSON value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Press:
    """A button that somebody pressed, or a modal that was sent: by whom, where, and about what."""

    elsewhere: Elsewhere
    conversation: str
    ask: Ask


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackDoor:
    """The two addresses that a Slack app is told to send to."""

    runtime: Runtime
    app: SlackApp
    api: SlackApi

    async def interactions(self, request: Request) -> Response:
        """Answer for buttons and modals."""
        return await self._admitted(request, self._interaction)

    async def commands(self, request: Request) -> Response:
        """Answer for the command that links and unlinks."""
        return await self._admitted(request, self._command)

    async def _admitted(self, request: Request, answer: Callable[[Mapping[str, str]], Awaitable[Response]]) -> Response:
        try:
            body = await _body(request)
            headers = request.headers
            signed = Signed(
                timestamp=headers.get("x-slack-request-timestamp", ""),
                signature=headers.get("x-slack-signature", ""),
                body=body,
            )
            await admit(self.runtime.database, self.app.signing_secret, signed)
            return await answer(_fields(body))
        except Unauthenticated as error:
            return PlainTextResponse(error.message, status_code=401)
        except HubError as error:
            return PlainTextResponse(error.message, status_code=400)
        except Exception:  # noqa: BLE001  # a door: logged, answered in words
            _log.exception("a request from Slack failed")
            return PlainTextResponse(
                "Something went wrong here. Whether a vote was counted stands on the page of the call.", status_code=500
            )

    async def _interaction(self, fields: Mapping[str, str]) -> Response:
        payload = _json(fields.get("payload", ""))
        if payload.get("type") == "view_submission":
            return await self._veto(payload)
        action = _first_action(payload)
        ask = Ask.read(str(action.get("value", "")))
        if ask is not None and action.get("action_id") in {APPROVE, REJECT}:
            channel = _record(payload.get("channel"))
            press = _Press(elsewhere=_elsewhere(payload), conversation=str(channel.get("id", "")), ask=ask)
            await self._pressed(press, str(action["action_id"]), str(payload.get("trigger_id", "")))
        return Response(status_code=200)  # a button that is a link only is pressed too

    async def _pressed(self, press: _Press, action: str, trigger: str) -> None:
        known = await self._speaker(press.elsewhere)
        if known is None:
            await self._tell(press, f"This account is not linked to anybody here. Log in and link it: {self._page}")
        elif action == APPROVE:
            await self._tell(press, await self._vote(press.ask, known, Choice.APPROVE, ""))
        else:
            await self._ask_why(press, trigger)

    async def _ask_why(self, press: _Press, trigger: str) -> None:
        try:
            view = {"trigger_id": trigger, "view": veto_view(press.ask)}
            await self.api.call("views.open", view, seconds=_MODAL_SECONDS)
        except Exception as error:  # noqa: BLE001  # Slack's side: the person is told another way
            _log.warning("a modal could not be opened in Slack", error=str(error), waits=isinstance(error, NotNow))
            page = f"{self.runtime.public_url}/approvals/{press.ask.invocation_id}"
            await self._tell(press, f"The form for your reason could not be opened. Reject it on its page: {page}")

    async def _veto(self, payload: Mapping[str, Json]) -> Response:
        view = _record(payload.get("view"))
        ask = Ask.read(str(view.get("private_metadata", "")))
        if view.get("callback_id") != VETO or ask is None:
            return Response(status_code=200)
        known = await self._speaker(_elsewhere(payload))
        if known is None:
            return _not_taken(f"This account is not linked to anybody here. Log in and link it: {self._page}")
        told = await self._vote(ask, known, Choice.REJECT, _reason(view))
        return Response(status_code=200) if told == _DECIDED[Choice.REJECT] else _not_taken(told)

    async def _vote(self, ask: Ask, known: tuple[Principal, Link], choice: Choice, reason: str) -> str:
        """Return what came of a vote, in words for the voter."""
        person, linked = known
        ballot = Ballot(
            invocation_id=ask.invocation_id,
            digest=ask.digest,
            choice=choice,
            reason=reason,
            voter=person,
            authenticated_at=linked.authenticated_at,
            way=Way.SLACK,
        )
        try:
            check_text(reason)
            # whoever may not look learns nothing from voting either
            await look_at(self.runtime, Caller(actor=person), ask.invocation_id)
            await vote(ballot, self.runtime)
            told = _DECIDED[choice]
        except HubError as refusal:
            page = f"{self.runtime.public_url}/approvals/{ask.invocation_id}"
            told = f"{refusal.message} It was not counted. The page: {page}"
        async with self.runtime.database.transaction() as tx:
            await refresh(tx, ask.invocation_id)
        return told

    async def _command(self, fields: Mapping[str, str]) -> Response:
        verb, _, code = fields.get("text", "").strip().partition(" ")
        elsewhere = Elsewhere(system=SLACK, team=_id(fields.get("team_id")), account=_id(fields.get("user_id")))
        try:
            if verb == "link":
                told = await self._link(elsewhere, code)
            elif verb == "unlink":
                told = await self._unlink(elsewhere)
            else:
                told = _HELP.format(command=fields.get("command", "/toolhub")[:40], page=self._page)
        except HubError as refusal:
            told = refusal.message
        return JSONResponse({"response_type": "ephemeral", "text": told})

    async def _link(self, elsewhere: Elsewhere, code: str) -> str:
        async with self.runtime.database.transaction() as tx:
            linked = await link(tx, code, elsewhere, self.runtime.authority)
            known = await speaker(tx, elsewhere)
        name = known[0].name if known else linked.person_id
        return f"This account now speaks for {name} at {self.runtime.public_url}. End that there, or with `unlink`."

    async def _unlink(self, elsewhere: Elsewhere) -> str:
        known = await self._speaker(elsewhere)
        if known is None:
            return "This account is not linked to anybody."
        person, _ = known
        authority = Authority(database=self.runtime.database, keys=self.runtime.keys, by=person.id)
        async with self.runtime.database.transaction() as tx:
            await unlink(tx, person.id, SLACK, authority)
        return "This account speaks for nobody any more."

    async def _speaker(self, elsewhere: Elsewhere) -> tuple[Principal, Link] | None:
        async with self.runtime.database.reading() as tx:
            return await speaker(tx, elsewhere)

    async def _tell(self, press: _Press, text: str) -> None:
        async with self.runtime.database.transaction() as tx:
            await reply(tx, conversation=press.conversation, account=press.elsewhere.account, text=text)

    @property
    def _page(self) -> str:
        return f"{self.runtime.public_url}/slack"


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST:
            raise Malformed("This request is too long.")
    return body


def _fields(body: bytes) -> dict[str, str]:
    try:
        given = parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=100, errors="strict")
    except ValueError as error:
        raise Malformed("This is no form.") from error
    for values in given.values():
        check_text(values[0])
    return {name: values[0] for name, values in given.items()}


def _json(text: str) -> Mapping[str, Json]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise Malformed("This is no JSON.") from error
    return _record(found)


def _first_action(payload: Mapping[str, Json]) -> Mapping[str, Json]:
    actions = payload.get("actions")
    first = cast("list[Json]", actions)[:1] if isinstance(actions, list) else []
    return _record(first[0]) if first else {}


def _record(given: Json) -> Mapping[str, Json]:
    return cast("Mapping[str, Json]", given) if isinstance(given, dict) else {}


def _elsewhere(payload: Mapping[str, Json]) -> Elsewhere:
    user, team = (_record(payload.get(name)) for name in ("user", "team"))
    return Elsewhere(system=SLACK, team=_id(team.get("id") or user.get("team_id")), account=_id(user.get("id")))


def _id(given: Json) -> str:
    if not isinstance(given, str) or not given.isascii() or not given.isalnum() or len(given) > 64:  # noqa: PLR2004  # the column's width
        raise Malformed("This request does not say who sends it.")
    return given


def _reason(view: Mapping[str, Json]) -> str:
    try:
        return str(view["state"]["values"][REASON][REASON]["value"] or "")
    except (KeyError, TypeError):
        return ""


def _not_taken(why: str) -> Response:
    """Leave the modal open, with what stood against it."""
    return JSONResponse({"response_action": "errors", "errors": {REASON: why[:2000]}})
