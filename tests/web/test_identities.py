"""Who people are elsewhere and which agents came by themselves: linked, registered and accepted on pages."""

from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest
from web_visitor import Visitor, browser_of
from world import PASSWORD, World

from hub.execution import Reach, judged_by
from hub.identity.accounts import set_roles
from hub.identity.client_documents import document_of
from hub.identity.clients import NewAgent, create_agent, find_client
from hub.identity.directory import find
from hub.identity.foreign_people import person_of
from hub.identity.foreign_tokens import ForeignIssuers
from hub.identity.issuer_keys import IssuerLink
from hub.identity.issuers import Issuer
from hub.identity.principals import Principal, Role
from hub.outbound import Outbound

pytestmark = pytest.mark.anyio

ISSUER = Issuer(name="acme", title="Acme", issuer="https://login.acme.example", client_id="hub")
DOCUMENT = "https://agents.example.org/oauth/client.json"


@pytest.fixture
async def root(world: World) -> AsyncGenerator[Visitor]:
    """Ann, who has been made administrator, at a hub that trusts an issuer."""
    async with world.runtime.database.transaction() as tx:
        roles = frozenset({Role.ADMINISTRATOR, Role.MEMBER})
        await set_roles(tx, world.ann.id, roles, world.runtime.authority)
    issuers = ForeignIssuers([IssuerLink(ISSUER, Outbound(judged_by(Reach())))])
    async with browser_of(replace(world.runtime, issuers=issuers)) as opened:
        await opened.log_in("ann", PASSWORD)
        yield opened


async def came(world: World, name: str) -> Principal:
    async with world.runtime.database.transaction() as tx:
        new = NewAgent(name=name, display_name=name.title(), owner_id=world.ann.id, is_newcomer=True)
        return await create_agent(tx, new, world.runtime.authority)


async def test_a_person_is_linked_with_an_issuers_subject_and_unlinked_again(world: World, root: Visitor) -> None:
    page = f"/people/{world.rita.id}"
    await root.get(page)
    await root.submit(f"{page}/identities", issuer="acme", subject="s-1")
    await root.follow()

    assert "Acme knows this person now." in root.text
    async with world.runtime.database.reading() as tx:
        linked = await person_of(tx, ISSUER.issuer, "s-1")
    await root.submit(f"{page}/identities/acme/unlink")
    await root.follow()
    assert "Acme does not speak for this person any more." in root.text
    assert linked == world.rita
    async with world.runtime.database.reading() as tx:
        assert await person_of(tx, ISSUER.issuer, "s-1") is None


async def test_a_subject_that_is_somebody_already_is_refused_in_words(world: World, root: Visitor) -> None:
    for person in (world.rita, world.ann):
        await root.get(f"/people/{person.id}")
        form = root.form(f"/people/{person.id}/identities").fields
        await root.submit(f"/people/{person.id}/identities", issuer="acme", subject="s-1")

    assert root.page.status_code == 400
    assert "This subject is somebody here already" in root.text
    token = [field for field in form if field[0] == "csrf_token"]
    await root.post(f"/people/{world.ann.id}/identities", [*token, ("issuer", "nowhere"), ("subject", "s-2")])
    assert "The settings name no such issuer." in root.text


async def test_an_agent_is_registered_by_its_document_before_it_comes(world: World, root: Visitor) -> None:
    await root.get("/people")
    wanted = {"name": "traveller", "display_name": "Traveller", "owner": "ann"}

    await root.submit("/people/agents", **wanted, document_url="http://agents.example.org/client.json")
    assert "A metadata document has an https URL" in root.text
    assert 'value="http://agents.example.org/client.json"' in root.html
    await root.submit("/people/agents", **wanted, document_url=DOCUMENT, needs_bound_tokens="yes")
    await root.follow()

    assert DOCUMENT in root.text
    async with world.runtime.database.reading() as tx:
        agent = await find(tx, "traveller")
        assert agent is not None
        assert (await document_of(tx, agent.id), agent.needs_bound_tokens) == (DOCUMENT, True)


async def test_tokens_of_an_agent_have_to_be_bound_from_the_moment_a_page_says_so(world: World, root: Visitor) -> None:
    page = f"/people/{world.bot.id}"
    await root.get(page)

    await root.submit(f"{page}/binding", needs_bound_tokens="yes")
    await root.follow()

    assert "only those that are bound to a key of its own" in root.text
    async with world.runtime.database.reading() as tx:
        client = await find_client(tx, world.bot.id)
    assert client is not None
    assert client.principal.needs_bound_tokens


async def test_newcomers_are_reviewed_and_one_that_is_accepted_is_none_any_more(world: World, root: Visitor) -> None:
    kept, other = await came(world, "traveller"), await came(world, "wanderer")
    await root.get("/people/newcomers")
    assert root.text.index("Wanderer") < root.text.index("Traveller")
    assert "never" in root.text

    form = root.form(f"/people/newcomers/{kept.id}/accept").fields
    await root.submit(f"/people/newcomers/{kept.id}/accept")
    await root.follow()

    assert "traveller is accepted." in root.text
    assert kept.id not in root.html
    assert other.id in root.html
    await root.post(f"/people/newcomers/{kept.id}/accept", form)
    assert root.page.status_code == 404
    async with world.runtime.database.reading() as tx:
        client = await find_client(tx, kept.id)
    assert client is not None
    assert not client.is_newcomer


async def test_nobody_else_reviews_newcomers_or_links_people(world: World, ann: Visitor) -> None:
    newcomer = await came(world, "traveller")
    assert (await ann.get("/people/newcomers")).status_code == 403
    await ann.get("/password")
    token = ann.form("/password").fields
    posts = (
        f"/people/newcomers/{newcomer.id}/accept",
        f"/people/{world.rita.id}/identities",
        f"/people/{world.rita.id}/identities/acme/unlink",
        f"/people/{newcomer.id}/binding",
    )

    for path in posts:
        assert (await ann.post(path, token)).status_code == 403, path
