"""The notice that a secret of an agent ends soon: whom it is for, and that it tells no secret."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import select
from world import World

from hub.channels import TOPICS
from hub.channels.audience import audience
from hub.channels.log import LogChannel
from hub.channels.notices import Notice
from hub.identity.clients import issue_secret
from hub.identity.expiring import SECRET_ENDS_SOON, warn_of_secrets
from hub.outbox.tables import MessageRow

pytestmark = pytest.mark.anyio


async def test_the_owner_hears_of_a_secret_that_ends_soon(world: World) -> None:
    async with world.runtime.database.transaction() as tx:
        secret = await issue_secret(tx, world.bot.id, world.runtime.authority, lifetime=timedelta(days=3))
        await warn_of_secrets(tx)
        (message,) = (await tx.scalars(select(MessageRow).where(MessageRow.topic == SECRET_ENDS_SOON))).all()
        notice = Notice(id=message.id, event=message.topic, at=message.created_at, facts=message.payload)
        owners = [one.id for one in await audience(tx, notice)]

    assert SECRET_ENDS_SOON in TOPICS
    assert owners == [world.bot.owner_id]
    assert (notice.page, notice.about) == (f"/people/{world.bot.id}", secret.id)
    assert secret.value not in json.dumps(message.payload)
    await LogChannel("http://hub.test").deliver(notice, "log")
