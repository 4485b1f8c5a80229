"""Calling by GraphQL and XML-RPC from a connector's function: results, errors, and what a preview may not send."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from upstream.dealing import Dealing, by_graphql, by_xml_rpc
from upstream.graphql_deals import connector as graphql_deals
from upstream.xml_rpc_deals import connector as xml_rpc_deals

from connectors.sdk import Connector
from connectors.sdk.run import Done, Failed, Previewed
from connectors.sdk.workbench import Workbench

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize(
        ("connector", "served"), [(graphql_deals, by_graphql), (xml_rpc_deals, by_xml_rpc)], ids=["GraphQL", "XML-RPC"]
    ),
]
Served = Callable[[], AbstractContextManager[Dealing]]


async def test_a_record_is_read_and_changed_as_previewed(connector: Connector, served: Served) -> None:
    with served() as dealing:
        async with Workbench(connector, dealing.base_url) as bench:
            previewed = await bench.preview("deal_rename", id=1, title="Pens")
            assert isinstance(previewed, Previewed)
            assert dealing.deals.effects == 0

            done = await bench.commit("deal_rename", previewed.preview, id=1, title="Pens")
            read = await bench.read("deal_get", id=1)

    assert done == read == Done(output={"id": 1, "title": "Pens", "amount": 500, "version": 2})


async def test_what_the_system_refuses_is_what_the_connector_makes_of_it(connector: Connector, served: Served) -> None:
    with served() as dealing:
        async with Workbench(connector, dealing.base_url) as bench:
            previewed = await bench.preview("deal_rename", id=1, title="Pens")
            assert isinstance(previewed, Previewed)
            dealing.deals.edit(1, "Somebody else's")
            missing = await bench.read("deal_get", id=2)
            moved = await bench.commit("deal_rename", previewed.preview, id=1, title="Pens")

    assert (isinstance(missing, Failed), isinstance(moved, Failed)) == (True, True)
    assert [one.code for one in (missing, moved) if isinstance(one, Failed)] == [
        "upstream_not_found",
        "upstream_conflict",
    ]
    assert dealing.deals.effects == 1


async def test_a_preview_sends_no_write(connector: Connector, served: Served) -> None:
    with served() as dealing:
        async with Workbench(connector, dealing.base_url) as bench:
            tried = await bench.preview("writes_in_its_preview", id=1)

    assert isinstance(tried, Failed)
    assert tried.code == "fenced"
    assert dealing.deals.effects == 0
