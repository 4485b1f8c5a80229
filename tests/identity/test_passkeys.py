"""Passkeys: what enrols one, what one proves, and everything that does not."""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from authenticator import PRESENT, Authenticator
from meeting import waits_or_ends
from sqlalchemy import select, update

from hub.audit import EventKind
from hub.audit.tables import EventRow
from hub.core.errors import Conflict, FreshLoginNeeded, InputError, NotFound
from hub.identity.authority import Authority
from hub.identity.enrolment import enrol as new_person
from hub.identity.passkeys import (
    CHALLENGE_SECONDS,
    FRESH,
    MOST,
    Answered,
    Ceremony,
    NewPasskey,
    Passkey,
    Site,
    enrol,
    offer_enrolment,
    offer_proof,
    passkeys_of,
    prove,
    remove,
    remove_all,
    renew,
    site_of,
)
from hub.identity.principals import PrincipalKind
from hub.identity.sessions import LIFETIME, WebSession, open_session, session_of
from hub.identity.tables import PasskeyRow, SessionRow
from hub.keys import Keyring
from hub.policy.annotations import LONGEST_SESSION_SECONDS
from hub.storage import Database, now

pytestmark = pytest.mark.anyio

HERE = Site(domain="localhost", origin="http://localhost:8420")


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A person who is logged in, at a hub."""

    database: Database
    keys: Keyring
    cookie: str

    @property
    def authority(self) -> Authority:
        return Authority(database=self.database, keys=self.keys)

    async def session(self) -> WebSession:
        async with self.database.reading() as tx:
            session = await session_of(tx, self.cookie)
        assert session is not None
        return session

    async def enrolling(self) -> Ceremony:
        async with self.database.reading() as tx:
            return await offer_enrolment(tx, self.keys, await self.session(), HERE)

    async def proving(self) -> Ceremony:
        async with self.database.reading() as tx:
            return await offer_proof(tx, self.keys, await self.session(), HERE)

    async def enrol(self, credential: str, sealed: str, *, name: str = "laptop") -> Passkey:
        wanted = NewPasskey(name=name, answered=Answered(credential=credential, sealed=sealed))
        async with self.database.transaction() as tx:
            return await enrol(tx, await self.session(), HERE, wanted, self.authority)

    async def prove(self, credential: str, sealed: str) -> None:
        answered = Answered(credential=credential, sealed=sealed)
        async with self.database.transaction() as tx:
            await prove(tx, await self.session(), HERE, answered, self.authority)

    async def enrolled(self, device: Authenticator, *, name: str = "laptop") -> Passkey:
        asked = await self.enrolling()
        return await self.enrol(device.made(asked.options), asked.sealed, name=name)

    async def proven(self, device: Authenticator) -> "Desk":
        """Return the desk after a fresh login by the device."""
        asked = await self.proving()
        await self.prove(device.answered(asked.options), asked.sealed)
        async with self.database.transaction() as tx:
            return replace(self, cookie=await renew(tx, await self.session(), self.cookie))

    async def beside(self, name: str) -> "Desk":
        """Return the desk of somebody else."""
        return await sit_down(self.database, self.keys, name)


async def sit_down(database: Database, keys: Keyring, name: str) -> Desk:
    async with database.transaction() as tx:
        person = await new_person(tx, kind=PrincipalKind.USER, name=name, display_name=name.title())
        return Desk(database=database, keys=keys, cookie=await open_session(tx, person))


@pytest.fixture
async def ada(database: Database, keys: Keyring) -> Desk:
    return await sit_down(database, keys, "ada")


@pytest.fixture
def device() -> Authenticator:
    return Authenticator()


def age_of(session: WebSession, at: WebSession) -> timedelta:
    return at.authenticated_at - session.authenticated_at


async def test_a_passkey_makes_the_fresh_login_that_a_password_made_before(ada: Desk, device: Authenticator) -> None:
    before = await ada.session()
    made = await ada.enrolled(device)
    after = await ada.session()
    async with ada.database.transaction() as tx:
        by_password = replace(ada, cookie=await open_session(tx, before.principal.id))

    assert (before.has_passkey, after.has_passkey) == (False, True)
    assert age_of(after, before) >= LIFETIME - FRESH, "also the session that enrolled it counts as an old one now"
    assert age_of(await by_password.session(), before) >= LIFETIME - FRESH

    fresh = await ada.proven(device)
    assert (await fresh.session()).authenticated_at >= before.authenticated_at
    async with ada.database.reading() as tx:
        assert await session_of(tx, ada.cookie) is None, "it took the place of the session at hand"
        (kept,) = await passkeys_of(tx, before.principal.id)
    assert (kept.id, kept.name) == (made.id, "laptop")
    assert kept.used_at is not None


@pytest.mark.parametrize(
    "device",
    [
        Authenticator(origin="http://localhost:8421"),
        Authenticator(origin="https://localhost:8420"),
        Authenticator(domain="example.org"),
        Authenticator(flags=PRESENT),
        Authenticator(flags=0x04),
        *(Authenticator(left_out=member) for member in (1, 3, -1, -2, -3)),
    ],
    ids=[
        *("port", "scheme", "domain", "nobody verified", "nobody present"),
        *("no key type", "no algorithm", "no curve", "no x", "no y"),
    ],
)
async def test_what_was_made_for_another_place_or_by_nobody_is_not_enrolled(ada: Desk, device: Authenticator) -> None:
    asked = await ada.enrolling()

    with pytest.raises(InputError, match="does not make a passkey"):
        await ada.enrol(device.made(asked.options), asked.sealed)

    assert not (await ada.session()).has_passkey


@pytest.mark.parametrize("credential", ["", "{", "[]", "{}", '{"id": 1}', "x" * 20_000, '{"id": "a", "id": "b"}'])
async def test_what_is_no_answer_of_a_browser_enrols_and_proves_nothing(
    ada: Desk, device: Authenticator, credential: str
) -> None:
    asked = await ada.enrolling()
    with pytest.raises(InputError):
        await ada.enrol(credential, asked.sealed)
    await ada.enrolled(device)

    asked = await ada.proving()
    with pytest.raises(InputError):
        await ada.prove(credential, asked.sealed)


async def test_enrolling_needs_a_fresh_login_a_name_and_an_unused_challenge_of_this_session(
    ada: Desk, device: Authenticator
) -> None:
    asked, other = await ada.enrolling(), await ada.beside("eve")
    with pytest.raises(InputError, match="Give the passkey a name"):
        await ada.enrol(device.made(asked.options), asked.sealed, name=" ")
    with pytest.raises(InputError, match="Give the passkey a name"):
        await ada.enrol(device.made(asked.options), asked.sealed, name="x" * 61)
    with pytest.raises(InputError, match="open for too long"):
        await other.enrol(device.made(asked.options), asked.sealed)
    with pytest.raises(InputError, match="open for too long"):
        await ada.enrol(device.made(asked.options), (await ada.proving()).sealed)
    with pytest.raises(InputError, match="does not make a passkey"):
        await ada.enrol(device.made((await ada.enrolling()).options), asked.sealed)

    async with ada.database.transaction() as tx:
        at = await now(tx)
        await tx.execute(update(SessionRow).values(authenticated_at=at - FRESH - timedelta(seconds=1)))
    with pytest.raises(FreshLoginNeeded):
        await ada.enrol(device.made(asked.options), asked.sealed)
    assert not (await ada.session()).has_passkey


async def test_a_challenge_enrols_once(ada: Desk, device: Authenticator) -> None:
    asked = await ada.enrolling()
    await ada.enrol(device.made(asked.options), asked.sealed)
    fresh = await ada.proven(device)

    again = await fresh.enrolling()
    with pytest.raises(Conflict, match="enrolled already"):
        await fresh.enrol(device.made(again.options), again.sealed)
    another = Authenticator(id=b"another")
    await fresh.enrol(another.made(again.options), again.sealed)
    async with ada.database.transaction() as tx:
        await tx.execute(update(SessionRow).values(authenticated_at=await now(tx)))
    with pytest.raises(InputError, match="sent twice"):
        await fresh.enrol(Authenticator(id=b"third").made(again.options), again.sealed)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_login_by_password_that_meets_the_first_passkey_is_not_fresh(
    ada: Desk, device: Authenticator, database_url: str
) -> None:
    """As by whoever has the password, while its owner enrols the passkey that is to keep them out."""
    asked, before = await ada.enrolling(), await ada.session()
    elsewhere = Database(database_url)  # as another process would

    async def log_in() -> str:
        async with elsewhere.transaction() as tx:
            return await open_session(tx, before.principal.id)

    async with ada.database.transaction() as tx:
        answered = Answered(credential=device.made(asked.options), sealed=asked.sealed)
        await enrol(tx, before, HERE, NewPasskey(name="laptop", answered=answered), ada.authority)
        meets = asyncio.create_task(log_in())
        await waits_or_ends(elsewhere, meets)
    cookie = await meets

    other = await replace(ada, cookie=cookie).session()
    assert other.has_passkey
    assert age_of(other, before) >= FRESH
    await elsewhere.close()


async def test_nobody_has_more_than_ten(ada: Desk, device: Authenticator) -> None:
    await ada.enrolled(device)
    desk = await ada.proven(device)
    async with ada.database.transaction() as tx:
        row = (await tx.scalars(select(PasskeyRow))).one()
        for number in range(1, MOST):
            tx.add(_like(row, number))

    asked = await desk.enrolling()
    with pytest.raises(Conflict, match="10 passkeys already"):
        await desk.enrol(Authenticator(id=b"eleventh").made(asked.options), asked.sealed)


def _like(row: PasskeyRow, number: int) -> PasskeyRow:
    return PasskeyRow(
        id=f"pky_{number}",
        principal_id=row.principal_id,
        credential_id=f"other{number}",
        public_key=row.public_key,
        uses=0,
        name="spare",
        enrolled_at=row.enrolled_at,
    )


@pytest.mark.parametrize(
    "lie",
    [
        {"origin": "http://localhost:8421"},
        {"domain": "example.org"},
        {"flags": PRESENT},
        {"flags": 0x04},
        {"uses": -1},
        {"key": Authenticator().key},
        {"id": b"unknown"},
    ],
    ids=["origin", "domain", "nobody verified", "nobody present", "a count that stands still", "key", "unknown"],
)
async def test_what_did_not_come_from_the_passkey_for_this_hub_proves_nothing(
    ada: Desk, lie: dict[str, object]
) -> None:
    device = Authenticator(uses=1)
    await ada.enrolled(device)
    desk = await ada.proven(device)
    uses = device.uses
    for name, value in lie.items():
        setattr(device, name, value if name != "uses" else uses - 1)

    asked = await desk.proving()
    with pytest.raises(InputError, match="did not prove who you are"):
        await desk.prove(device.answered(asked.options), asked.sealed)


async def test_a_challenge_is_good_once_for_its_session_and_purpose(ada: Desk, device: Authenticator) -> None:
    await ada.enrolled(device)
    asked = await ada.proving()
    answer = device.answered(asked.options)
    for other in (await ada.enrolling(), Ceremony(options="", sealed="forged"), Ceremony(options="", sealed="")):
        with pytest.raises(InputError, match="open for too long"):
            await ada.prove(answer, other.sealed)
    with pytest.raises(InputError, match="did not prove"):
        await ada.prove(device.answered(asked.options, kind="webauthn.create"), asked.sealed)
    async with ada.database.transaction() as tx:
        elsewhere = replace(ada, cookie=await open_session(tx, (await ada.session()).principal.id))
    with pytest.raises(InputError, match="open for too long"):
        await elsewhere.prove(answer, asked.sealed)

    await ada.prove(device.answered(asked.options), asked.sealed)

    with pytest.raises(InputError, match="sent twice"):
        await ada.prove(device.answered(asked.options), asked.sealed)


async def test_a_challenge_is_good_for_five_minutes(ada: Desk, device: Authenticator) -> None:
    await ada.enrolled(device)
    tied = {"challenge": "AAAA", "session": (await ada.session()).id}
    late = ada.keys.seal(tied, purpose="proof by a passkey", seconds=0)

    assert CHALLENGE_SECONDS == 300
    with pytest.raises(InputError, match="open for too long"):
        await ada.prove(device.answered('{"challenge": "AAAA"}'), late)


async def test_the_passkey_of_somebody_else_proves_nothing(ada: Desk, device: Authenticator) -> None:
    await ada.enrolled(device)
    eve = await ada.beside("eve")
    await eve.enrolled(Authenticator(id=b"eve's"))

    asked = await eve.proving()
    with pytest.raises(InputError, match="did not prove"):
        await eve.prove(device.answered(asked.options), asked.sealed)


async def test_of_the_same_answer_twice_at_once_one_counts(ada: Desk, device: Authenticator) -> None:
    await ada.enrolled(device)
    asked = await ada.proving()
    answer = device.answered(asked.options)

    outcomes = await asyncio.gather(*(ada.prove(answer, asked.sealed) for _ in range(3)), return_exceptions=True)

    assert sorted(type(one).__name__ for one in outcomes) == ["InputError", "InputError", "NoneType"]


async def test_one_removes_ones_own_by_a_fresh_proof_only(ada: Desk, device: Authenticator) -> None:
    made = await ada.enrolled(device)
    eve = await ada.beside("eve")

    async with ada.database.transaction() as tx:
        with pytest.raises(FreshLoginNeeded):
            await remove(tx, await ada.session(), made.id, ada.authority)
        with pytest.raises(NotFound):
            await remove(tx, await eve.session(), made.id, ada.authority)
    fresh = await ada.proven(device)
    async with ada.database.transaction() as tx:
        await remove(tx, await fresh.session(), made.id, ada.authority)

    assert not (await fresh.session()).has_passkey
    async with ada.database.transaction() as tx:
        again = replace(ada, cookie=await open_session(tx, (await fresh.session()).principal.id))
        kinds = list(await tx.scalars(select(EventRow.kind).where(EventRow.kind.startswith("passkey."))))
    assert age_of(await fresh.session(), await again.session()) < FRESH, "a password makes a fresh login again"
    assert kinds == [EventKind.PASSKEY_ENROLLED, EventKind.PASSKEY_REMOVED]


async def test_an_administrator_removes_lost_ones_with_every_session_but_never_its_own(
    ada: Desk, device: Authenticator
) -> None:
    await ada.enrolled(device)
    person = (await ada.session()).principal.id

    async with ada.database.transaction() as tx:
        with pytest.raises(InputError, match="your own passkeys"):
            await remove_all(tx, person, replace(ada.authority, by=person))
        assert await remove_all(tx, person, ada.authority) == 1
        assert await remove_all(tx, person, ada.authority) == 0

    async with ada.database.reading() as tx:
        assert await session_of(tx, ada.cookie) is None
        assert await passkeys_of(tx, person) == []


@pytest.mark.parametrize(
    ("address", "site"),
    [
        ("https://Hub.Example.org", Site(domain="hub.example.org", origin="https://hub.example.org")),
        ("https://hub.example.org:443/", Site(domain="hub.example.org", origin="https://hub.example.org")),
        ("http://localhost:8420", HERE),
        ("http://127.0.0.1:8420", None),
        ("http://[::1]:8420", None),
    ],
)
def test_passkeys_are_tied_to_the_hubs_name(address: str, site: Site | None) -> None:
    assert site_of(address) == site


def test_no_rule_takes_for_fresh_what_is_as_old_as_any_session() -> None:
    assert timedelta(seconds=LONGEST_SESSION_SECONDS) == LIFETIME
