"""The way to a mail server: what a connector may ask of it, as requests, carried out by SMTP behind the same fence.

| request | what it does |
| --- | --- |
| `GET /sender` | says whose mail the connection sends; asks nobody |
| `POST /recipients` | asks the server whether it would take mail for `{"recipients": [...]}`, and takes it back |
| `POST /messages` | sends `{"recipients": [...], "message": "..."}`, to all of them or to nobody |

A base URL names server and sender: `smtps://mail.example.com/billing@example.com`.
"""

import email.policy
import json
import re
import ssl
import time
from collections.abc import Iterable, Mapping
from email.parser import Parser
from email.utils import getaddresses
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connectors.sdk.auth import AuthSpec
from connectors.sdk.errors import Fenced, Unavailable
from connectors.sdk.wire import WireRequest, WireResponse
from sandbox.judged import trusted
from sandbox.pace import Pace
from sandbox.reach import OutOfReach, Reach
from sandbox.requests import BadBaseUrl, checked_base_url
from sandbox.sign_in import PAUSE_SECONDS, Secrets, SignIn, Ways
from sandbox.smtp import MailServer, Reply, SaidNo, Session, talking_to
from sandbox.tokens import TokenRequest
from sandbox.upstream import AnswerLost, Around, Exchange, Received, plainly

Json = Any
"""Any JSON value."""

_PORTS: Final = {"smtp": 587, "smtps": 465}
ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
_BARE: Final = re.compile(r"\r(?!\n)|(?<!\r)\n")
_LONGEST_LINE: Final = 998
"""Source: RFC 5322 section 2.1.1."""
_LARGEST_MESSAGE: Final = 10 * 1024 * 1024
_UNWANTED: Final = (
    "bcc",
    "resent-from",
    "resent-to",
    "resent-cc",
    "resent-bcc",
    "resent-sender",
    "return-path",
    "received",
)


class _Recipients(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    recipients: tuple[str, ...] = Field(min_length=1, max_length=200)


class _Message(_Recipients):
    message: str = Field(max_length=_LARGEST_MESSAGE)


AskedT = TypeVar("AskedT", bound=_Recipients)


class MailWay:
    """The way to one mail server, for one sender. The credential, if there is one, is shown to it alone."""

    keeps_sessions = False

    def __init__(
        self,
        base_url: str,
        auth: AuthSpec,
        secrets: Secrets,
        reach: Reach | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`secrets` opens the credential and is asked whenever a conversation begins.

        Raises:
            BadBaseUrl: the base URL does not name a mail server and a sender.
        """
        scheme, host, port, self.sender = _read(base_url)
        self.server = MailServer(
            scheme=scheme, host=host, port=port, reach=reach or Reach(), tls=trusted() if tls is None else tls
        )
        self.sign_in = SignIn(AuthSpec(), _nothing, Ways(base_url=base_url, post=_post_nowhere, ask=_ask_nobody))
        self.pace = Pace(None)
        self.around: Around = plainly
        self._auth = auth
        self._secrets = secrets
        self._refused_at: float | None = None

    async def close(self) -> None:
        """Close nothing: every conversation ends by itself."""

    async def exchange(self, exchange: Exchange) -> Received:
        """Carry out a request and return its answer.

        Raises:
            NoAnswer: nothing clear came back.
            Unavailable: the server cannot be used; nothing was sent.
            Fenced: it is no request, or no message, that may be sent.
        """
        try:
            return await self.around(exchange.request, lambda: self._received(exchange))
        except AnswerLost:
            exchange.progress.has_begun = True
            raise

    async def probe(self) -> int:
        """Begin a conversation, say who we are, and return 200.

        Raises:
            NoAnswer: nobody is there.
            Unavailable: the server does not let the hub in, or the hub may not go there.
        """
        try:
            async with talking_to(self.server) as session:
                await self._begin(session)
        except OutOfReach as error:
            raise Unavailable(f"{error} Nothing was sent.") from error
        return 200

    async def _received(self, exchange: Exchange) -> Received:
        request = exchange.request
        match request.method, request.path:
            case "GET", "/sender":
                return _answer(200, {"sender": self.sender})
            case "POST", "/recipients":
                asked = _parsed(_Recipients, request)
                return await self._conversation(exchange, asked.recipients, None)
            case "POST", "/messages":
                sent = _parsed(_Message, request)
                return await self._conversation(exchange, sent.recipients, self._checked(sent))
            case _:
                raise Fenced("A mail server takes GET /sender, POST /recipients and POST /messages. Nothing was sent.")

    async def _conversation(self, exchange: Exchange, recipients: tuple[str, ...], message: bytes | None) -> Received:
        try:
            async with talking_to(self.server) as session:
                await self._begin(session)
                refused = await session.address(self.sender, [*recipients], len(message or b""))
                if refused:
                    return _answer(_status_of(refused.values()), _refusal(refused))
                if message is None:
                    await session.command("RSET")
                    return _answer(200, {"accepted": len(recipients)})
                reply = await session.hand_over(message, exchange.progress)
        except SaidNo as error:
            return _answer(_status_of([error.reply]), {"detail": str(error)})
        except OutOfReach as error:
            raise Unavailable(f"{error} Nothing was sent.") from error
        if reply.is_no:
            return _answer(_status_of([reply]), {"detail": f"the message: {reply.code} {reply.text}"})
        return _answer(200, {"accepted": len(recipients), "reply": f"{reply.code} {reply.text}"})

    async def _begin(self, session: Session) -> None:
        try:
            await session.greet()
        except SaidNo as error:
            raise Unavailable(f"The mail server cannot be used ({error}). Nothing was sent.") from error
        if self._auth.kind == "none":
            return
        if self._refused_at is not None and time.monotonic() - self._refused_at < PAUSE_SECONDS:
            raise Unavailable(
                "The mail server refused the hub's login a moment ago; check the connection's credential."
            )
        secret = await self._secrets()
        if missing := sorted({*self._auth.secret_fields} - secret.keys()):
            raise Unavailable(f"The connection has no {', '.join(missing)}; its owner must enter the credential.")
        try:
            await session.log_in(secret["username"], secret["password"])
        except SaidNo as error:
            # what the server says may repeat what it was told, so it is not repeated here
            self._refused_at = time.monotonic()
            raise Unavailable(
                f"The mail server did not let the hub in ({error.reply.code}); check the connection's credential."
            ) from None
        self._refused_at = None

    def _checked(self, sent: _Message) -> bytes:
        """Return the message as bytes, if it is what two servers read alike and says whose it is.

        Raises:
            Fenced: it is not.
        """
        problem = _problem_with_lines(sent.message) or self._problem_with_headers(sent)
        if problem:
            raise Fenced(f"{problem} Nothing was sent.")
        return sent.message.encode("ascii")

    def _problem_with_headers(self, sent: _Message) -> str | None:
        headers = Parser(policy=email.policy.SMTP).parsestr(sent.message, headersonly=True)
        if headers.defects:
            return "Its headers are malformed."
        if [address for _, address in getaddresses(headers.get_all("from", []))] != [self.sender]:
            return f"It is not from {self.sender}, whose mail this connection sends."
        named = {address for _, address in getaddresses([*headers.get_all("to", []), *headers.get_all("cc", [])])}
        if not named <= {*sent.recipients}:
            return "It names recipients to whom it would not be sent."
        if any(name in headers for name in _UNWANTED):
            return "It has a header that belongs to servers."
        return None


async def _nothing() -> Mapping[str, str]:
    return {}


async def _post_nowhere(path: str, body: bytes) -> bytes:
    del path, body
    raise Unavailable("A mail server is signed in to within each conversation.")


async def _ask_nobody(request: TokenRequest) -> tuple[int, bytes]:
    del request
    raise Unavailable("A mail server is signed in to within each conversation.")


def _problem_with_lines(message: str) -> str | None:
    if not message.isascii() or "\0" in message:
        return "A message is ASCII; everything else in it is encoded."
    if _BARE.search(message):
        return "Its lines do not all end alike, so that one server could see two messages in it."
    if any(len(line) > _LONGEST_LINE for line in message.split("\r\n")):
        return f"It has a line of more than {_LONGEST_LINE} characters."
    return None


def _parsed(kind: type[AskedT], request: WireRequest) -> AskedT:
    try:
        found = kind.model_validate_json(request.body or "")
    except ValidationError as error:
        raise Fenced("Its body is not what such a request has. Nothing was sent.") from error
    if len({*found.recipients}) < len(found.recipients) or not all(map(ADDRESS.fullmatch, found.recipients)):
        raise Fenced("Its recipients are not all plain mail addresses, each once. Nothing was sent.")
    return found


def _read(base_url: str) -> tuple[str, str, int, str]:
    scheme, _, rest = base_url.partition("://")
    if scheme not in _PORTS:
        raise BadBaseUrl("The base URL of a mail server starts with smtps:// or smtp://.")
    parts = urlsplit(checked_base_url(f"https://{rest}"))
    sender = parts.path.removeprefix("/")
    if "/" in sender or not ADDRESS.fullmatch(sender):
        raise BadBaseUrl("A mail server's base URL ends with the sender: smtps://mail.example.com/billing@example.com.")
    return scheme, parts.hostname or "", parts.port or _PORTS[scheme], sender


def _status_of(replies: Iterable[Reply]) -> int:
    """Return 429 if trying again may help, which servers say by a 4, else 422."""
    return 429 if all(400 <= reply.code < 500 for reply in replies) else 422  # noqa: PLR2004  # RFC 5321 section 4.2.1


def _refusal(refused: Mapping[str, Reply]) -> Json:
    said = "; ".join(f"{address}: {reply.code} {reply.text}" for address, reply in refused.items())
    return {"detail": f"The mail server does not take mail for {said}", "refused": sorted(refused)}


def _answer(status: int, body: Json) -> Received:
    text = json.dumps(body)
    return Received(WireResponse(status=status, headers={"content-type": "application/json"}, body=text), len(text))
