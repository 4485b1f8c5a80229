"""Messages that leave in the transaction that caused them."""

from hub.outbox.messages import (
    Handler,
    Message,
    MessageState,
    NotNow,
    Undeliverable,
    deliver,
    forget_delivered,
    given_up,
    put,
    try_again,
)

__all__ = [
    "Handler",
    "Message",
    "MessageState",
    "NotNow",
    "Undeliverable",
    "deliver",
    "forget_delivered",
    "given_up",
    "put",
    "try_again",
]
