"""The keyring opens only what it made, for the use it was made for, and survives rotation."""

import asyncio
import time
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey
from sqlalchemy import select, update

from hub.audit.notes import public_bytes
from hub.core.errors import Malformed, Unavailable
from hub.keys import Keyring, SigningKey
from hub.keys.keyring import TOKEN_KEY_GRACE
from hub.keys.tables import KeyRow
from hub.storage import Database, Tx, now

pytestmark = pytest.mark.anyio

MASTER_KEY = bytes(range(32))


async def rotate(database: Database, keys: Keyring, *purposes: str) -> None:
    async with database.transaction() as tx:
        for purpose in purposes:
            await keys.rotate(tx, purpose)  # type: ignore[arg-type]  # literals in the tests below
    await keys.reload()


async def test_what_was_encrypted_opens_again_after_a_restart(database: Database, keys: Keyring) -> None:
    sealed = keys.encrypt(b"secret", context="credentials/c1")

    reopened = await Keyring.open(database, MASTER_KEY)

    assert reopened.decrypt(sealed, context="credentials/c1") == b"secret"
    assert b"secret" not in sealed


async def test_a_ciphertext_moved_to_another_place_is_refused(keys: Keyring) -> None:
    sealed = keys.encrypt(b"secret", context="credentials/c1")

    with pytest.raises(Malformed):
        keys.decrypt(sealed, context="credentials/c2")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
async def test_no_changed_byte_opens(keys: Keyring, data: st.DataObject) -> None:
    sealed = bytearray(keys.encrypt(b"secret", context="c"))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))

    with pytest.raises((Malformed, Unavailable)):  # with another key's name in it, the key may be too new
        keys.decrypt(bytes(sealed), context="c")


async def test_what_a_newer_key_encrypted_is_not_called_malformed_and_opens_after_a_reload(
    database: Database, keys: Keyring
) -> None:
    other = await Keyring.open(database, MASTER_KEY)
    async with database.transaction() as tx:
        await keys.rotate(tx, "data")
    await keys.reload()
    sealed = keys.encrypt(b"secret", context="c")
    token = keys.seal("value", purpose="cursor", seconds=60)

    with pytest.raises(Unavailable):
        other.decrypt(sealed, context="c")
    with pytest.raises(Malformed):  # anybody may write the name of a key into a token
        other.unseal(token, purpose="cursor")
    await other.reload()

    assert other.decrypt(sealed, context="c") == b"secret"
    assert other.unseal(token, purpose="cursor") == "value"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(foreign=st.binary(max_size=120))
async def test_foreign_bytes_are_refused_not_a_crash(keys: Keyring, foreign: bytes) -> None:
    with pytest.raises(Malformed):
        keys.decrypt(foreign, context="c")


async def test_another_master_key_is_refused_and_says_what_to_do(database: Database, keys: Keyring) -> None:
    assert keys.signing_key("tokens")

    with pytest.raises(Unavailable, match="another master key"):
        await Keyring.open(database, bytes(32))


async def test_a_key_row_swapped_for_another_is_refused(database: Database, keys: Keyring) -> None:
    async with database.transaction() as tx:
        sealed = await tx.scalar(select(KeyRow.sealed).where(KeyRow.purpose == "tokens"))
        await tx.execute(update(KeyRow).where(KeyRow.purpose == "checkpoints").values(sealed=sealed))

    with pytest.raises(Unavailable):
        await keys.reload()


async def test_a_sealed_value_comes_back_on_any_replica(database: Database, keys: Keyring) -> None:
    token = keys.seal({"after": "t7", "who": "prn_1"}, purpose="cursor", seconds=60)

    replica = await Keyring.open(database, MASTER_KEY)

    assert replica.unseal(token, purpose="cursor") == {"after": "t7", "who": "prn_1"}


async def test_a_sealed_value_for_another_purpose_is_refused(keys: Keyring) -> None:
    token = keys.seal("x", purpose="cursor", seconds=60)

    with pytest.raises(Malformed):
        keys.unseal(token, purpose="state")


async def test_a_sealed_value_expires(database: Database) -> None:
    clock = iter([1000.0, 1059.0, 1060.0])
    keys = await Keyring.open(database, MASTER_KEY, clock=lambda: next(clock))
    token = keys.seal("x", purpose="cursor", seconds=60)

    assert keys.unseal(token, purpose="cursor") == "x"
    with pytest.raises(Malformed, match="too old"):
        keys.unseal(token, purpose="cursor")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(forged=st.text(max_size=80))
async def test_a_forged_token_is_refused_not_a_crash(keys: Keyring, forged: str) -> None:
    with pytest.raises(Malformed):
        keys.unseal(forged, purpose="cursor")


async def test_rotation_keeps_what_the_old_keys_made(database: Database, keys: Keyring) -> None:
    sealed = keys.encrypt(b"secret", context="c")
    old = keys.signing_key("tokens")
    token = jwt.encode({"alg": "ES256", "kid": old.id}, {"sub": "a"}, ECKey.import_key(old.private))  # type: ignore[arg-type]  # wrong on purpose

    await rotate(database, keys, "data", "tokens", "checkpoints")

    new = keys.signing_key("tokens")
    public = {jwk["kid"]: jwk for jwk in keys.public_keys("tokens")}
    assert new.id != old.id
    assert list(public) == [old.id, new.id]
    assert jwt.decode(token, ECKey.import_key(dict(public[old.id]))).claims == {"sub": "a"}
    assert keys.decrypt(sealed, context="c") == b"secret"
    assert keys.encrypt(b"secret", context="c")[:32] != sealed[:32]


async def test_an_old_token_key_leaves_once_no_token_of_it_can_be_valid(database: Database) -> None:
    ages = [0.0]
    keys = await Keyring.open(database, MASTER_KEY, clock=lambda: time.time() + ages[-1])
    old = keys.signing_key("tokens").id
    await rotate(database, keys, "tokens", "checkpoints")

    ages.append((TOKEN_KEY_GRACE + timedelta(hours=1)).total_seconds())

    assert old not in [jwk["kid"] for jwk in keys.public_keys("tokens")]
    assert len(keys.public_keys("tokens")) == 1
    assert len(keys.public_keys("checkpoints")) == 2


async def test_a_rotation_that_rolled_back_changes_nothing(database: Database, keys: Keyring) -> None:
    before = keys.signing_key("tokens").id

    async def rotate_and_fail(tx: Tx) -> None:
        await keys.rotate(tx, "tokens")
        raise KeyError

    with pytest.raises(KeyError):
        async with database.transaction() as tx:
            await rotate_and_fail(tx)
    await keys.reload()

    assert keys.signing_key("tokens").id == before


async def test_the_ring_follows_a_rotation_by_itself(database: Database, keys: Keyring) -> None:
    other = await Keyring.open(database, MASTER_KEY)
    follow = asyncio.create_task(keys.keep_fresh())
    async with database.transaction() as tx:
        new = await other.rotate(tx, "checkpoints")

    async with asyncio.timeout(5):
        while keys.signing_key("checkpoints").id != new:
            async with database.reading() as tx:
                await now(tx)

    follow.cancel()
    await asyncio.gather(follow, return_exceptions=True)


async def test_two_processes_that_start_at_once_make_one_set_of_keys(database: Database) -> None:
    url = database.url.render_as_string(hide_password=False)
    other = Database(url)

    first, second = await asyncio.gather(Keyring.open(database, MASTER_KEY), Keyring.open(other, MASTER_KEY))

    assert first.signing_key("tokens").id == second.signing_key("tokens").id
    await other.close()


async def test_checkpoints_are_signed_with_ed25519(keys: Keyring) -> None:
    key = keys.signing_key("checkpoints")
    assert isinstance(key.private, Ed25519PrivateKey)

    signature = key.private.sign(b"message")

    Ed25519PublicKey.from_public_bytes(public_bytes(key.public_jwk)).verify(signature, b"message")


async def test_nothing_secret_is_printed_or_published(keys: Keyring) -> None:
    key: SigningKey = keys.signing_key("tokens")

    assert repr(key) == f"SigningKey(id={key.id!r})"
    assert all("d" not in jwk for jwk in keys.public_keys("tokens") + keys.public_keys("checkpoints"))
