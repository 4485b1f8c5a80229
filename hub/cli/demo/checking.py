"""The contract kit, before the demo begins: the write that is to go by itself is done and undone in another Tryton.

That one is a copy of the same company which ends with the check, so that the story finds its own as it was seeded.
"""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

from connectors.tryton import connector
from connectors.tryton_server import Installation, TrytonServer
from connectors.tryton_server.contents import Watch
from connectors.tryton_server.harness import TrytonHarness
from connectors.tryton_server.office import Office
from hub.cli.demo.telling import expect
from hub.invocations.proving.session import check_live
from hub.registry import Badge, BadgeVerdict, Promise

WRITE: Final = "party_contact_update"
_CONTACT: Final = "party.contact_mechanism"


async def check_tools(installation: Installation, folder: Path) -> Badge:
    """Return what the kit finds of the write, tried on a copy of Tryton in `folder`.

    Raises:
        Unexpected: a line failed, or the undo was not proven.
    """
    with (
        TrytonServer(installation, folder) as tryton,
        closing(tryton.person("clerk")) as clerk,
        closing(Watch(tryton.database_file)) as watch,
    ):
        office = Office(clerk)
        contact = office.contact()
        harness = TrytonHarness(server=tryton, office=office, watch=watch)

        def edit() -> None:
            clerk.write(_CONTACT, contact, value="colleague@umber.example")

        tried = harness.write(WRITE, edit, contact_id=contact, value="tried@umber.example")
        badge = await check_live(connector.spec, replace(harness, cases=[tried]))
    failed = [f"{line.promise}: {line.reason}" for line in badge.lines if line.verdict is BadgeVerdict.FAILED]
    expect(not failed, f"The contract kit finds of {WRITE}: {'; '.join(failed)}")
    expect(badge.proves(WRITE, Promise.UNDO), f"The contract kit could not undo {WRITE}.")
    return badge
