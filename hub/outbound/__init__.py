"""The hub's own requests to others, where no connector is involved: issuers' keys, clients' documents."""

from hub.outbound.fetching import Address, Addresses, Answer, NotFetched, Outbound

__all__ = ["Address", "Addresses", "Answer", "NotFetched", "Outbound"]
