"""The connectors for mail servers, with a login and without: mail from the one address that a connection names."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field

from connectors.sdk import (
    AuthSpec,
    Blast,
    Connector,
    Context,
    Effect,
    Fidelity,
    Preview,
    Refused,
    SafeRule,
    SideEffect,
    Tier,
)
from connectors.sdk.operations import WriteOptions

Json = Any
"""Any JSON value."""

_SAFE: Final = (
    SafeRule(method="GET", path="/sender"),
    SafeRule(method="POST", path="/recipients", preview_only=True),
)

connector = Connector(
    "smtp",
    version="1.0.0",
    title="Mail (SMTP)",
    description="Sends mail from the one address that the connection names.",
    speaks="smtp",
    auth=AuthSpec(kind="basic", secret_fields=("username", "password")),
    safe=_SAFE,
)

# A connector of its own: where a login is due, one that was forgotten is said to be missing and never left out.
relay = Connector(
    "smtp_relay",
    version="1.0.0",
    title="Mail without a login (SMTP)",
    description="Sends mail through a server that knows the hub by its address, from the one sender of the connection.",
    speaks="smtp",
    safe=_SAFE,
)

_PATTERN: Final = (
    r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$"
)
MOST_RECIPIENTS: Final = 50
Address = Annotated[str, Field(max_length=254, pattern=_PATTERN, description="A mail address without a name")]
Recipients = Annotated[list[Address], Field(max_length=MOST_RECIPIENTS)]
Subject = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f\u2028\u2029]+$")]
Text = Annotated[str, Field(min_length=1, max_length=100_000, description="Plain text")]

_NOT_COVERED: Final = (
    "Whether the mail arrives: servers take it first, and may return it or file it as spam later.",
    "Whether it arrives once: if the answer to it is lost, nobody can ask the server about it.",
)


class Sender(BaseModel):
    """Whose mail the connection sends."""

    sender: str


class Accepted(BaseModel):
    """What the server said."""

    accepted: int
    reply: str = ""


class Sent(BaseModel):
    """What the mail server took."""

    message_id: str
    recipients: Annotated[int, Field(ge=1, le=3 * MOST_RECIPIENTS)]
    reply: str


async def _send(  # noqa: PLR0913, PLR0917  # a mail has these parts
    context: Context,
    to: Annotated[Recipients, Field(min_length=1)],
    subject: Subject,
    text: Text,
    cc: Recipients = [],  # noqa: B006  # a default in the schema
    bcc: Recipients = [],  # noqa: B006  # see cc
    reply_to: Address | None = None,
) -> Sent:
    """Send a mail in plain text. It goes to all recipients or to none, and cannot be called back."""
    sender = (await context.get("/sender", Sender)).sender
    recipients = _all(to, cc, bcc)
    digest = hashlib.sha256(context.key.encode()).hexdigest()[:32]
    message_id = f"<{digest}@{sender.partition('@')[2]}>"
    message = EmailMessage(policy=SMTP)
    headers = {"From": sender, "To": ", ".join(to), "Cc": ", ".join(cc), "Reply-To": reply_to or "", "Subject": subject}
    for name, value in headers.items():
        if value:
            message[name] = value
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = message_id
    message.set_content(text, cte="quoted-printable")
    body = {"recipients": recipients, "message": message.as_bytes().decode("ascii")}
    accepted = await context.post("/messages", body, Accepted)
    return Sent(message_id=message_id, recipients=accepted.accepted, reply=accepted.reply)


async def _preview(  # noqa: PLR0913, PLR0917  # as above
    context: Context,
    to: list[str],
    subject: str,
    text: str,
    cc: Sequence[str] = (),
    bcc: Sequence[str] = (),
    reply_to: str | None = None,
) -> Preview:
    sender = (await context.get("/sender", Sender)).sender
    recipients = _all(to, cc, bcc)
    await context.post("/recipients", {"recipients": recipients}, Accepted)
    mail: dict[str, Json] = {"from": sender, "to": list(to), "cc": list(cc), "bcc": list(bcc)}
    mail |= {"reply_to": reply_to, "subject": subject, "text": text}
    return Preview.send(
        f"mail/{to[0]}"[:200],
        mail,
        unknown=("message_id", "date"),
        side_effects=[SideEffect(kind="mail", recipient=one) for one in recipients],
        blast=Blast(rows=1, parties=len(recipients)),
        fidelity=Fidelity.VALIDATED,
        not_covered=_NOT_COVERED,
    )


_SEND: Final[WriteOptions] = {
    "effect": Effect.SEND,
    "tier": Tier.HIGH,
    "fidelity": Fidelity.VALIDATED,
    "volatile": ("message_id", "reply"),
    "data_classes": ("correspondence",),
    "facts": {"subject": "/subject"},
    "timeout_seconds": 120,
    "examples": [{"to": ["ann@example.com"], "subject": "Your order", "text": "It left today."}],
}

for _each in (connector, relay):
    _each.write("send", **_SEND)(_send).preview(_preview)


def _all(*lists: Sequence[str]) -> list[str]:
    """Return everybody once.

    Raises:
        Refused: somebody is named twice.
    """
    everybody = [one for each in lists for one in each]
    if len({one.lower() for one in everybody}) < len(everybody):
        raise Refused("Somebody is named twice among the recipients; name everybody once.")
    return everybody
