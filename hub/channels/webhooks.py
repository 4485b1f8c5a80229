"""The channel of webhooks: what happened, signed, to endpoints that the operator names. Source: Standard Webhooks 1.0.

A body names ids, states, digests and a link, never what a call is about. No redirect is followed; nothing of what an
endpoint answers is read but its status.
"""

import base64
import hmac
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import httpx2
from sqlalchemy import delete, select

from hub.audit import EventKind
from hub.channels.notices import Notice
from hub.channels.tables import DisabledWebhookRow
from hub.core.errors import NotFound
from hub.identity.authority import Authority
from hub.outbound import client_to_named
from hub.outbox import Undeliverable
from hub.storage import Database, Tx, now

EVERYTHING: Final = "*"
"""In the list of events of an endpoint: all of them, those to come too."""
_SECONDS: Final = 10.0
_GONE: Final = 410


class WebhookNotTaken(Exception):
    """The endpoint could not be reached, or did not answer with a status of success."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Who is told: where, of which events, and signed with which keys, one of which the endpoint knows."""

    name: str
    url: str
    keys: tuple[bytes, ...] = field(repr=False)
    events: frozenset[str]

    def wants(self, event: str) -> bool:
        """Return whether the operator asked for this event to be told here."""
        return EVERYTHING in self.events or event in self.events


def signatures(keys: Sequence[bytes], *, message_id: str, timestamp: int, body: str) -> str:
    """Return the header `webhook-signature`: one for each key, so that a receiver may change from one to the next."""
    signed = f"{message_id}.{timestamp}.{body}".encode()
    return " ".join(f"v1,{base64.b64encode(hmac.digest(key, signed, 'sha256')).decode()}" for key in keys)


class WebhookChannel:
    """Posts each notice to every endpoint that wants it and has not said that it is gone."""

    name = "webhook"

    def __init__(
        self,
        database: Database,
        endpoints: Sequence[Endpoint],
        authority: Authority,
        public_url: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._endpoints: Mapping[str, Endpoint] = {one.name: one for one in endpoints}
        self._authority = authority
        self._public_url = public_url
        self._clock = clock

    async def recipients(self, tx: Tx, notice: Notice) -> Sequence[str]:
        """Return the names of the endpoints to tell."""
        gone = {one.name for one in await disabled(tx)}
        return [name for name, one in self._endpoints.items() if one.wants(notice.event) and name not in gone]

    async def deliver(self, notice: Notice, recipient: str) -> None:
        """Post the notice.

        Raises:
            Undeliverable: the endpoint is gone, or the operator has taken it away.
            WebhookNotTaken: this time; another attempt may go better.
        """
        endpoint = self._endpoints.get(recipient)
        async with self._database.reading() as tx:
            is_gone = any(one.name == recipient for one in await disabled(tx))
        if endpoint is None or is_gone:
            raise Undeliverable(f"the webhook {recipient!r} is {'disabled' if is_gone else 'not in the settings'}")
        status = await self._post(endpoint, notice)
        if status == _GONE:
            async with self._database.transaction() as tx:
                await _disable(tx, endpoint, self._authority)
            raise Undeliverable(f"the webhook {recipient!r} answered 410: it is disabled until it is enabled again")
        if not 200 <= status < 300:  # noqa: PLR2004  # the statuses of success; a redirect is none
            raise WebhookNotTaken(f"the webhook {recipient!r} answered {status}")

    async def _post(self, endpoint: Endpoint, notice: Notice) -> int:
        body = json.dumps(self._body(notice), separators=(",", ":"), sort_keys=True)
        timestamp = int(self._clock())
        headers = {
            "content-type": "application/json",
            "webhook-id": notice.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signatures(endpoint.keys, message_id=notice.id, timestamp=timestamp, body=body),
        }
        try:
            async with (
                client_to_named(_SECONDS) as http,
                http.stream("POST", endpoint.url, content=body.encode(), headers=headers) as answer,
            ):
                return answer.status_code
        except httpx2.HTTPError as error:  # whose words may quote the address, which may hold a secret
            raise WebhookNotTaken(f"the webhook {endpoint.name!r}: {type(error).__name__}") from error

    def _body(self, notice: Notice) -> Mapping[str, object]:
        link = f"{self._public_url}{notice.page}"
        return {"type": notice.event, "timestamp": notice.at.isoformat(), "data": {**notice.facts, "link": link}}


async def disabled(tx: Tx) -> list[DisabledWebhookRow]:
    """Return the endpoints that said they are gone and that nobody has enabled since."""
    return list(await tx.scalars(select(DisabledWebhookRow).order_by(DisabledWebhookRow.name)))


async def enable(tx: Tx, name: str, authority: Authority) -> None:
    """Let an endpoint be told again; what was given up meanwhile stays given up.

    Raises:
        NotFound: no such endpoint is disabled.
    """
    gone = delete(DisabledWebhookRow).where(DisabledWebhookRow.name == name).returning(DisabledWebhookRow.name)
    if await tx.scalar(gone) is None:
        raise NotFound(f"No webhook {name!r} is disabled.")
    await authority.record(tx, EventKind.WEBHOOK_ENABLED, name)


async def _disable(tx: Tx, endpoint: Endpoint, authority: Authority) -> None:
    if await tx.get(DisabledWebhookRow, endpoint.name) is None:
        tx.add(DisabledWebhookRow(name=endpoint.name, disabled_at=await now(tx)))
        await tx.flush()
        await authority.record(tx, EventKind.WEBHOOK_DISABLED, endpoint.name)
