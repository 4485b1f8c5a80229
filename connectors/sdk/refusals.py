"""Refusals that come with a status of success: how a spec says by which answers a system has changed nothing."""

import json
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from connectors.sdk.pointer import resolve
from connectors.sdk.templates import matches
from connectors.sdk.wire import WireRequest, WireResponse


class RefusalRule(BaseModel):
    """An answer of 2xx by which a system says no: to `method` on `template`, with an empty list at `empty`.

    So a system answers that changes only what fits a condition, when nothing does. Nothing else counts as such a no.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal["POST", "PUT", "PATCH", "DELETE"]
    template: str
    empty: str = Field(pattern="^/")

    def covers(self, request: WireRequest, response: WireResponse) -> bool:
        """Return whether `response` says that `request` did nothing."""
        if request.method != self.method or not matches(self.template, request.path):
            return False
        try:
            return bool(resolve(json.loads(response.body), self.empty) == [])
        except ValueError:
            return False
