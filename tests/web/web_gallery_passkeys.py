"""Typed examples of the page of one's own passkeys, and of a fresh login by one of them."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hub.identity.passkeys import Ceremony
from hub.web.moments import at
from hub.web.passkeys import PasskeyLine, PasskeysPage
from hub.web.views.entry import FreshLoginPage

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
CEREMONY = Ceremony(options=json.dumps({"challenge": "c2FsdA", "rpId": "hub.example.org"}), sealed="sealed")
LINES = (
    PasskeyLine(
        id="pky_1",
        name="Grace's laptop, the one with the <script> sticker that everybody asks about",
        enrolled=at(NOW - timedelta(days=40), now=NOW),
        used=at(NOW - timedelta(hours=2), now=NOW),
    ),
    PasskeyLine(id="pky_2", name="spare key", enrolled=at(NOW - timedelta(days=1), now=NOW), used=None),
)
_WHY = "What you are about to decide asks for a login that is younger than yours."
ASKED = FreshLoginPage(name="grace", next="/approvals/inv_1", why=_WHY, by_passkey=True, ceremony=CEREMONY)
SOME = PasskeysPage(lines=LINES, ceremony=CEREMONY)
PASSKEYS: dict[str, tuple[str, object]] = {
    "passkeys-none": ("passkeys.html", replace(SOME, lines=())),
    "passkeys-some": ("passkeys.html", SOME),
    "passkeys-refused": ("passkeys.html", replace(SOME, name="laptop", problem="This passkey is enrolled already.")),
    "passkeys-bare": ("passkeys.html", PasskeysPage(lines=(), ceremony=None)),
    "fresh-login-passkey": ("fresh_login.html", ASKED),
    "fresh-login-passkey-wrong": ("fresh_login.html", replace(ASKED, problem="That passkey did not prove it.")),
    "fresh-login-passkey-bare": ("fresh_login.html", replace(ASKED, ceremony=None)),
}
