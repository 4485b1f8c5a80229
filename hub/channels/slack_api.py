"""Slack's HTTP API, as far as the hub calls it: what was answered, and whether it is worth another attempt."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, cast

import httpx2

from hub.outbound import client_to_named
from hub.outbox import NotNow, Undeliverable

Json = Any
"""Any JSON value."""

WEB_API: Final = "https://slack.com/api"
_SECONDS: Final = 10.0
_DONE, _BUSY = 200, 429
_LONGEST_PAUSE: Final = timedelta(hours=1)
_DIGITS: Final = 9
"""Of a pause in seconds; what has more of them is no pause that anybody means."""
_FIRST_PAUSE: Final = timedelta(seconds=30)
_FOR_GOOD: Final = frozenset(
    {
        "cannot_dm_bot",
        "cant_update_message",
        "channel_not_found",
        "edit_window_closed",
        "expired_trigger_id",
        "invalid_arguments",
        "invalid_blocks",
        "invalid_trigger_id",
        "is_archived",
        "message_not_found",
        "messages_tab_disabled",
        "msg_blocks_too_long",
        "msg_too_long",
        "no_text",
        "restricted_action",
        "trigger_expired",
        "user_disabled",
        "user_not_found",
        "user_not_in_channel",
    }
)
"""Errors that another attempt does not mend. All others may pass, or an operator may mend them (a token, a scope)."""


class SlackNotReached(Exception):
    """Slack could not be reached, did not answer in time, or not as its API does; another attempt may go better."""


class SlackDeclined(SlackNotReached):
    """Slack has not done it, and says so; another attempt may go better."""


class SlackRefused(Undeliverable):
    """Slack refuses this for good; `error` is its own short word for why."""

    def __init__(self, method: str, error: str) -> None:
        super().__init__(f"Slack refuses {method}: {error}")
        self.error = error


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackApp:
    """The app that was made for the hub in Slack: the token it speaks with, and the secret that Slack signs with."""

    token: str = field(repr=False)
    signing_secret: str = field(repr=False)
    web_api: str = WEB_API


class SlackApi:
    """Calls methods of the Web API, one attempt each; what it is told to wait, it waits for all methods."""

    def __init__(self, app: SlackApp, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._clock = clock
        self._not_before = 0.0

    async def call(
        self, method: str, arguments: Mapping[str, Json], *, seconds: float = _SECONDS
    ) -> Mapping[str, Json]:
        """Return what Slack answers.

        Raises:
            NotNow: Slack asks to wait (429), or has done so and the time is not over; nothing was sent then.
            SlackNotReached: it did not answer as its API does; whether it did what was asked is not known.
            SlackDeclined: it has certainly not done what was asked, this time.
            SlackRefused: for good.
        """
        wait = self._not_before - self._clock()
        if wait > 0:
            raise NotNow("Slack has asked to wait", after=timedelta(seconds=wait))
        headers = {"authorization": f"Bearer {self._app.token}", "content-type": "application/json; charset=utf-8"}
        url = f"{self._app.web_api}/{method}"
        try:
            async with client_to_named(seconds) as http:
                answer = await http.post(url, json=dict(arguments), headers=headers)
        except httpx2.HTTPError as error:
            raise SlackNotReached(f"Slack did not answer {method}: {type(error).__name__}") from error
        if answer.status_code == _BUSY:
            raise self._told_to_wait(method, answer.headers.get("retry-after", ""))
        return _answered(method, answer)

    def _told_to_wait(self, method: str, retry_after: str) -> NotNow:
        is_number = retry_after.isascii() and retry_after.isdigit() and len(retry_after) <= _DIGITS
        pause = timedelta(seconds=int(retry_after)) if is_number else _FIRST_PAUSE
        pause = min(pause, _LONGEST_PAUSE)
        self._not_before = self._clock() + pause.total_seconds()
        return NotNow(f"Slack is asked too much ({method})", after=pause)


def _answered(method: str, answer: httpx2.Response) -> Mapping[str, Json]:
    try:
        given: Json = answer.json()
    except ValueError:
        given = None
    if answer.status_code != _DONE or not isinstance(given, dict):
        raise SlackNotReached(f"Slack answered {method} with {answer.status_code}")
    told = cast("Mapping[str, Json]", given)
    if told.get("ok") is True:
        return told
    error = str(told.get("error", "no reason"))[:80]
    if error in _FOR_GOOD:
        raise SlackRefused(method, error)
    raise SlackDeclined(f"Slack did not do {method}: {error}")
