"""What is read for lists of calls: one that has ended, or become none of the visitor's business, leaves the others."""

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from web_visitor import Visitor
from world import PASSWORD, World

from hub.identity.principals import Principal
from hub.invocations.runtime import Runtime
from hub.web import web_routes
from hub.web.dossier import open_dossiers
from hub.web.visits import Doorway, Visit

pytestmark = pytest.mark.anyio


async def test_a_list_shows_what_is_there_of_it_still(world: World) -> None:
    asked = [await world.call("item_delete", {"id": number}) for number in (1, 2)]

    async def listed(visit: Visit) -> Response:
        found = await open_dossiers(visit, [asked[0].id, "inv_gone", asked[1].id])
        return JSONResponse([one.invocation.id for one in found])

    async def nothing(_runtime: Runtime, _person: Principal) -> int:
        return 0

    page = Route("/listed", Doorway(runtime=world.runtime, waiting=nothing).private(listed), methods=["GET"])
    app = Starlette(routes=[page, *web_routes(world.runtime)])
    async with Visitor(app, base_url=world.runtime.public_url) as rita:
        await rita.log_in("rita", PASSWORD)

        assert (await rita.get("/listed")).json() == [one.id for one in asked]
