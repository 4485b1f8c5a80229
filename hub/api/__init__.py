"""The door for automation: an HTTP API under /api/v1, one file per resource."""

from hub.api.app import create_api

__all__ = ["create_api"]
