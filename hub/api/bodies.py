"""What request bodies have in common: nothing that is not described is accepted."""

from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

Reason = Annotated[str, Field(min_length=1, max_length=500, description="Why, in the words that go on record.")]
Id = Annotated[str, Path(json_schema_extra={"pattern": "^[a-z]+_[0-9a-z]{1,60}$"})]
"""An id in a path, of any kind. Its form is told but not asked for: one that cannot exist is looked up like any other,
so that it looks like one that does not."""


class Body(BaseModel):
    """A request body; a member that is not described is a mistake, and is said to be one."""

    model_config = ConfigDict(extra="forbid")


class Why(Body):
    """Why something is done."""

    reason: Reason
