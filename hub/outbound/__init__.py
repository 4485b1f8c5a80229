"""The hub's own requests to others, where no connector is involved: issuers' keys, clients' documents."""

from hub.outbound.fetching import Answer, NotFetched, Opening, Outbound

__all__ = ["Answer", "NotFetched", "Opening", "Outbound"]
