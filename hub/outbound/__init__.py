"""The hub's own requests to others, where no connector is involved: issuers' keys, clients' documents, webhooks."""

from hub.outbound.fetching import Answer, NotFetched, Opening, Outbound
from hub.outbound.named import client_to_named

__all__ = ["Answer", "NotFetched", "Opening", "Outbound", "client_to_named"]
