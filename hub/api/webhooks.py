"""Webhooks: which endpoints have said that they are gone, and telling them again."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from hub.api.access import AccountManager, RuntimeParameter
from hub.channels import webhooks

router = APIRouter(prefix="/webhooks", tags=["webhooks"])


class DisabledWebhook(BaseModel):
    """An endpoint that is told nothing."""

    name: str = Field(examples=["operations"], description="Its name in the settings.")
    disabled_at: datetime


class DisabledWebhookList(BaseModel):
    """Every endpoint that is told nothing; there are few."""

    items: list[DisabledWebhook]


@router.get("/disabled", operation_id="listDisabledWebhooks", summary="List disabled webhooks")
async def list_disabled(runtime: RuntimeParameter, _acting: AccountManager) -> DisabledWebhookList:
    """Return the endpoints that answered 410 Gone, in the order of their names."""
    async with runtime.database.reading() as tx:
        found = await webhooks.disabled(tx)
    return DisabledWebhookList(items=[DisabledWebhook(name=one.name, disabled_at=one.disabled_at) for one in found])


@router.post("/{name}/enable", operation_id="enableWebhook", summary="Enable a webhook", status_code=204)
async def enable(runtime: RuntimeParameter, acting: AccountManager, name: Annotated[str, Path(max_length=64)]) -> None:
    """Tell an endpoint of what happens from now on."""
    async with runtime.database.transaction() as tx:
        await webhooks.enable(tx, name, acting.authority(runtime))
