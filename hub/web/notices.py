"""Notices: what came of a form, told once on the page the browser is sent to, and kept out of its address."""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from hub.core.errors import Malformed
from hub.keys import Keyring

NOTICE_COOKIE: Final = "hub_notice"
_SECONDS: Final = 60
_PURPOSE: Final = "web notice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A sentence at the top of a page; `tone` is `good`, `warn` or `bad`."""

    text: str = ""
    tone: str = "good"


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where notices are left for one person; they are sealed, so that nobody can make the hub say something."""

    keys: Keyring
    person_id: str
    is_secure: bool

    def leave(self, response: Response, notice: Notice) -> Response:
        """Send `notice` along with a redirect."""
        value = {"text": notice.text, "tone": notice.tone, "person": self.person_id}
        sealed = self.keys.seal(value, purpose=_PURPOSE, seconds=_SECONDS)
        response.set_cookie(
            NOTICE_COOKIE, sealed, max_age=_SECONDS, path="/", secure=self.is_secure, httponly=True, samesite="lax"
        )
        return response

    def left(self, request: Request) -> Notice:
        """Return the notice that came with a request, or an empty one."""
        try:
            value = self.keys.unseal(request.cookies.get(NOTICE_COOKIE, ""), purpose=_PURPOSE)
        except Malformed:
            return Notice()
        return Notice(text=value["text"], tone=value["tone"]) if value["person"] == self.person_id else Notice()

    def clear(self, response: Response) -> None:
        """Forget the notice once a page has shown it."""
        response.delete_cookie(NOTICE_COOKIE, path="/", secure=self.is_secure, httponly=True, samesite="lax")
