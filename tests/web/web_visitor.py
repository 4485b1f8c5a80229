"""A person at a browser without JavaScript: follows links, fills in forms, keeps cookies."""

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Self
from urllib.parse import urlencode

import httpx2 as httpx
from starlette.applications import Starlette
from starlette.types import ASGIApp

from hub.invocations.runtime import Runtime
from hub.web import web_routes
from hub.web.slack import SlackDoor

Fields = list[tuple[str, str]]
VOID_OF_CHOICE = {"checkbox", "radio"}


@dataclass
class Form:
    """A form as it stands on a page: where it goes and what it would send untouched."""

    action: str
    method: str
    fields: Fields


class _Forms(HTMLParser):
    """Collects forms with the values they would send."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._open: Form | None = None
        self._select = ""
        self._textarea = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(action=given["action"], method=given.get("method", "get"), fields=[])
            self.forms.append(self._open)
        elif self._open is not None:
            self._field(tag, given)

    def _field(self, tag: str, given: dict[str, str]) -> None:
        assert self._open is not None
        if tag == "select":
            self._select = given["name"]
        elif tag == "option" and ("selected" in given or not any(n == self._select for n, _ in self._open.fields)):
            self._open.fields = [(n, v) for n, v in self._open.fields if n != self._select]
            self._open.fields.append((self._select, given["value"]))
        elif tag == "textarea":
            self._textarea = given["name"]
            self._open.fields.append((given["name"], ""))
        elif tag == "input" and "name" in given and (given.get("type") not in VOID_OF_CHOICE or "checked" in given):
            self._open.fields.append((given["name"], given.get("value", "")))

    def handle_data(self, data: str) -> None:
        if self._open is not None and self._textarea:
            name, value = self._open.fields[-1]
            self._open.fields[-1] = (name, value + data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        if tag == "textarea":
            self._textarea = ""


class Visitor:
    """One browser. `page` is the last answer; redirects are followed only by `follow`."""

    def __init__(self, app: ASGIApp, *, base_url: str = "http://hub.test") -> None:
        transport = httpx.ASGITransport(app=app, client=("192.0.2.7", 4711), raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url=base_url)
        self.page = httpx.Response(0)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()

    @property
    def html(self) -> str:
        """The last page."""
        return self.page.text

    @property
    def text(self) -> str:
        """What a reader sees of the last page: without tags, each gap as one space."""
        return " ".join(re.sub(r"<[^>]+>", " ", self.html).split())

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """Open a page."""
        self.page = await self.client.get(path, headers={name.replace("_", "-"): v for name, v in headers.items()})
        return self.page

    async def post(self, path: str, fields: Fields, **headers: str) -> httpx.Response:
        """Send a form's fields, whatever page they come from."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        given.setdefault("content-type", "application/x-www-form-urlencoded")
        self.page = await self.client.post(path, content=urlencode(fields).encode(), headers=given)
        return self.page

    async def follow(self) -> httpx.Response:
        """Go where the last answer sends the browser."""
        assert self.page.status_code == 303, (self.page.status_code, self.html)
        return await self.get(self.page.headers["location"])

    def form(self, action: str) -> Form:
        """Return the form on the page that goes to `action`."""
        parser = _Forms()
        parser.feed(self.html)
        found = [form for form in parser.forms if form.action == action]
        assert found, f"no form to {action} among {[form.action for form in parser.forms]}"
        return found[0]

    async def submit(self, action: str, **typed: str | list[str]) -> httpx.Response:
        """Fill in the form that goes to `action` and press the button; what is not typed stays as it is."""
        form = self.form(action)
        kept = [(name, value) for name, value in form.fields if name not in typed]
        filled = [
            (name, value)
            for name, values in typed.items()
            for value in ([values] if isinstance(values, str) else values)
        ]
        return await self.post(action, kept + filled)

    async def log_in(self, name: str, password: str) -> httpx.Response:
        """Log in with the login form."""
        await self.get("/login")
        return await self.submit("/login", name=name, password=password)


def browser_of(runtime: Runtime, slack: SlackDoor | None = None) -> Visitor:
    """Return a browser that looks at this hub, which may have an app in Slack."""
    return Visitor(Starlette(routes=web_routes(runtime, slack)), base_url=runtime.public_url)
