"""The door for automation: an HTTP API under /api/v1, one file per resource."""

from hub.api.app import create_api
from hub.api.probes import Probes

__all__ = ["Probes", "create_api"]
