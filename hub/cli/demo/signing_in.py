"""How the demo's agent gets its tokens: authorization code with PKCE over real HTTP, a consent, and refreshing."""

import base64
import hashlib
import secrets
import time
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import httpx2

from connectors.sdk.workbench import trusted
from hub.cli.demo.telling import expect

Json = Any
"""Any JSON value."""

REFRESH_BEFORE: Final = 60.0
"""How many seconds before its end a token is renewed."""
_SECONDS_TO_ANSWER: Final = 60
_SEE_OTHER: Final = 303
_MOST_LEAPS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """The agent as the authorization server knows it."""

    client_id: str
    secret: str = field(repr=False)
    redirect_uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What the token endpoint answered."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    ends_at: float
    scopes: frozenset[str]


class Browser:
    """Somebody's browser without JavaScript: it logs in when it is asked to, and presses buttons."""

    def __init__(self, hub_url: str, name: str, password: str) -> None:
        self._client = httpx2.Client(verify=trusted(), base_url=hub_url, timeout=_SECONDS_TO_ANSWER)
        self._name = name
        self._password = password

    def allow(self, url: str) -> dict[str, str]:
        """Open an authorization URL, log in if need be, allow what the page asks for; return what the client gets."""
        page = self._client.get(url)
        expect(page.status_code == _SEE_OTHER, f"The authorization endpoint answered {page.status_code}: {page.text}")
        page = self._followed(page)
        if page.url.path == "/login":
            page = self._followed(self._press(page, "/login", name=self._name, password=self._password))
        where = page.url.path
        expect(where.startswith("/consent/"), f"Expected the consent page, and came to {where}: {page.status_code}")
        answer = self._press(page, where, answer="allow")
        return dict(parse_qsl(urlsplit(answer.headers["location"]).query))

    def close(self) -> None:
        """Close the browser."""
        self._client.close()

    def _followed(self, answer: httpx2.Response) -> httpx2.Response:
        """Return the page that an answer leads to, by however few more answers like it."""
        for _ in range(_MOST_LEAPS):
            if answer.status_code != _SEE_OTHER:
                break
            answer = self._client.get(answer.headers["location"])
        return answer

    def _press(self, page: httpx2.Response, action: str, **typed: str) -> httpx2.Response:
        form = _Form(action)
        form.feed(page.text)
        kept = [(name, value) for name, value in form.fields if name not in typed]
        answer = self._client.post(
            urljoin(str(page.url), action),
            content=urlencode([*kept, *typed.items()]),
            headers={"content-type": "application/x-www-form-urlencoded"},
        )
        expect(answer.status_code == _SEE_OTHER, f"The form at {action} was answered with {answer.status_code}.")
        return answer


class _Form(HTMLParser):
    """The fields that a form would send untouched."""

    def __init__(self, action: str) -> None:
        super().__init__()
        self.fields: list[tuple[str, str]] = []
        self._action = action
        self._is_inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take in one element."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._is_inside = given.get("action") == self._action
            return
        is_sent = given.get("type") != "checkbox" or "checked" in given
        if tag == "input" and self._is_inside and "name" in given and is_sent:
            self.fields.append((given["name"], given.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        """Leave a form."""
        self._is_inside = self._is_inside and tag != "form"


class Authorization:
    """The agent's way to tokens for one MCP server, found from the server's own metadata."""

    def __init__(self, client: Client, resource: str) -> None:
        self._http = httpx2.Client(verify=trusted(), timeout=_SECONDS_TO_ANSWER)
        self._client = client
        self._resource = resource
        split = urlsplit(resource)
        described = self._json(f"{split.scheme}://{split.netloc}/.well-known/oauth-protected-resource{split.path}")
        issuer = described["authorization_servers"][0]
        self._server = self._json(f"{issuer.rstrip('/')}/.well-known/oauth-authorization-server")

    def ask(self, browser: Browser, scopes: str) -> Tokens:
        """Return tokens with `scopes`, after the person at `browser` has allowed it."""
        verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        question = {
            "response_type": "code",
            "client_id": self._client.client_id,
            "redirect_uri": self._client.redirect_uri,
            "scope": scopes,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "resource": self._resource,
        }
        told = browser.allow(f"{self._server['authorization_endpoint']}?{urlencode(question)}")
        expect(told.get("state") == state, "The answer carries another state than the question.")
        expect(told.get("iss") == self._server["issuer"], "The answer comes from another issuer (RFC 9207).")
        redeemed = {
            "grant_type": "authorization_code",
            "code": told["code"],
            "code_verifier": verifier,
            "redirect_uri": self._client.redirect_uri,
            "resource": self._resource,
        }
        return self._redeem(redeemed)

    def refresh(self, tokens: Tokens) -> Tokens:
        """Return new tokens for `tokens`, whose refresh token is used up by it."""
        return self._redeem({"grant_type": "refresh_token", "refresh_token": tokens.refresh})

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def _redeem(self, form: dict[str, str]) -> Tokens:
        answer = self._http.post(
            self._server["token_endpoint"], data=form, auth=(self._client.client_id, self._client.secret)
        )
        expect(answer.is_success, f"The token endpoint answered {answer.status_code}: {answer.text}")
        issued = answer.json()
        return Tokens(
            access=issued["access_token"],
            refresh=issued["refresh_token"],
            ends_at=time.monotonic() + issued["expires_in"],
            scopes=frozenset(issued["scope"].split()),
        )

    def _json(self, url: str) -> dict[str, Json]:
        answer = self._http.get(url)
        expect(answer.is_success, f"{url} answered {answer.status_code}.")
        found: dict[str, Json] = answer.json()
        return found


def challenge_in(answer: httpx2.Response) -> dict[str, str]:
    """Return the parameters of a Bearer challenge (RFC 6750 section 3)."""
    scheme, _, rest = answer.headers.get("www-authenticate", "").partition(" ")
    expect(scheme == "Bearer", "The answer carries no Bearer challenge.")
    quoted = (each.partition("=") for each in rest.split('", '))
    return {name.strip(): value.strip('"') for name, _, value in quoted}
