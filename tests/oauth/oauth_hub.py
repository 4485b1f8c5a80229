"""The words in which the tests of this folder speak of a hub, its agent and its person."""

import base64
import hashlib
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import httpx2

from hub.identity.authority import Authority
from hub.identity.clients import ClientAuthentication, NewAgent
from hub.identity.grants import AuthorizationServer
from hub.identity.grants_consent import consent_question, grant_consent
from hub.identity.principals import Caller, Principal
from hub.identity.sessions import WebSession, open_session, session_of
from hub.identity.tokens import TokenVerifier
from hub.storage import Database

PUBLIC_URL = "https://hub.example"
RESOURCE = f"{PUBLIC_URL}/servers/sales/mcp"
CALLBACK = "https://agent.example/callback"
VERIFIER = "a-verifier-of-the-right-length-that-nobody-guesses"


def challenge_of(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@dataclass(frozen=True, kw_only=True)
class Hub:
    """The hub under test, with words for what its clients and people do."""

    server: AuthorizationServer
    verifier: TokenVerifier
    http: httpx2.AsyncClient
    ada: Principal
    agent: Principal
    secret: str = field(repr=False)
    authority: Authority

    @property
    def database(self) -> Database:
        """The hub's database."""
        return self.server.database

    async def ask(self, **changes: str | None) -> httpx2.Response:
        """Send the browser to the authorization endpoint; a change of None leaves a parameter out."""
        usual = {
            "response_type": "code",
            "client_id": self.agent.id,
            "redirect_uri": CALLBACK,
            "scope": "tryton:read tryton:write",
            "state": "xyz",
            "code_challenge": challenge_of(VERIFIER),
            "code_challenge_method": "S256",
            "resource": RESOURCE,
        }
        wanted = {name: value for name, value in {**usual, **changes}.items() if value is not None}
        return await self.http.get("/oauth/authorize", params=wanted)

    async def login(self, user: Principal) -> WebSession:
        """Open a web session for `user`."""
        async with self.database.transaction() as tx:
            session = await session_of(tx, await open_session(tx, user.id))
        assert session is not None
        return session

    async def consent(self, asked: httpx2.Response, *scopes: str) -> str:
        """Let Ada agree to what was asked, and return where her browser is sent."""
        session = await self.login(self.ada)
        async with self.database.transaction() as tx:
            question = await consent_question(tx, request_id_in(asked), self.ada)
            return await grant_consent(
                tx, question.request_id, session, scopes or question.scopes, self.server.authority(self.ada.id)
            )

    async def code(self, **changes: str | None) -> str:
        """Return a fresh authorization code."""
        return query_of(await self.consent(await self.ask(**changes)))["code"]

    async def token(self, **changes: str | None) -> httpx2.Response:
        """Ask the token endpoint with the agent's secret in the body."""
        usual = {"client_id": self.agent.id, "client_secret": self.secret}
        form = {name: value for name, value in {**usual, **changes}.items() if value is not None}
        return await self.http.post("/oauth/token", data=form)

    async def redeem(self, code: str, **changes: str | None) -> httpx2.Response:
        """Exchange a code for tokens."""
        usual = {"grant_type": "authorization_code", "code": code, "code_verifier": VERIFIER, "redirect_uri": CALLBACK}
        return await self.token(**{**usual, **changes})

    async def refresh(self, refresh_token: str, **changes: str | None) -> httpx2.Response:
        """Rotate a refresh token."""
        return await self.token(**{"grant_type": "refresh_token", "refresh_token": refresh_token, **changes})

    async def own_token(self, **changes: str | None) -> httpx2.Response:
        """Ask for a token by which the agent acts for nobody."""
        return await self.token(**{"grant_type": "client_credentials", "resource": RESOURCE, **changes})

    async def caller(self, token: str, resource: str = RESOURCE) -> Caller:
        """Return who the hub takes the bearer of `token` for."""
        return await self.verifier.verify(token, resource=resource)


def error_in(answer: httpx2.Response) -> str:
    """Return the error of an answer that has the shape of RFC 6749 section 5.2."""
    assert answer.status_code == 400, answer.text
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body.keys() == {"error", "error_description"}
    return body["error"]


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def request_id_in(asked: httpx2.Response) -> str:
    assert asked.status_code == 303, asked.text
    return urlsplit(asked.headers["location"]).path.removeprefix("/consent/")


def agent_of(owner_id: str, name: str, authentication: ClientAuthentication = ClientAuthentication.SECRET) -> NewAgent:
    return NewAgent(
        name=name,
        display_name=name.title(),
        owner_id=owner_id,
        allowed_scopes=frozenset({"tryton:read", "tryton:write"}),
        allowed_servers=frozenset({"sales", "everything"}),
        redirect_uris=(CALLBACK, "http://127.0.0.1/done"),
        authentication=authentication,
    )
