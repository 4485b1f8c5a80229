"""What an issuer publishes: believed only if it is the issuer's own, and asked for no more often than needed."""

from dataclasses import dataclass, field

import anyio
import pytest
from issuing import CLIENT, Issuing, new_key
from joserfc.jwk import ECKey, OctKey, OKPKey

from hub.core.errors import Unavailable
from hub.execution import Reach, judged_by
from hub.identity.issuer_keys import BELIEVED_SECONDS, FAILED_SECONDS, REFETCH_SECONDS, IssuerLink
from hub.identity.issuers import Issuer
from hub.outbound import Outbound

pytestmark = pytest.mark.anyio


@dataclass
class Clock:
    """A clock that a test moves."""

    seconds: float = field(default=1000.0)

    def __call__(self) -> float:
        return self.seconds


def link_to(issuer: Issuing, clock: Clock | None = None) -> IssuerLink:
    named = Issuer(name="acme", title="Acme", issuer=issuer.address, client_id=CLIENT)
    return IssuerLink(named, Outbound(judged_by(Reach())), clock or Clock())


async def test_keys_are_read_once_and_then_known(issuer: Issuing) -> None:
    link = link_to(issuer)

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(link.key, "k1", "ES256")
    again = await link.key("k1", "ES256")

    assert again is not None
    assert issuer.asked == {"metadata": 1, "jwks": 1}


async def test_a_new_key_is_found_and_an_invented_one_makes_nobody_look_too_often(issuer: Issuing) -> None:
    clock = Clock()
    link = link_to(issuer, clock)
    await link.key("k1", "ES256")
    issuer.keys.append(new_key("k2"))

    assert await link.key("k2", "ES256") is None  # it has looked a moment ago
    clock.seconds += REFETCH_SECONDS
    assert await link.key("k2", "ES256") is not None
    for number in range(20):
        assert await link.key(f"invented-{number}", "ES256") is None
    assert issuer.asked["jwks"] == 2


async def test_a_key_that_was_taken_back_is_believed_no_longer_than_an_hour(issuer: Issuing) -> None:
    clock = Clock()
    link = link_to(issuer, clock)
    await link.key("k1", "ES256")
    issuer.keys[:] = [new_key("k2")]

    assert await link.key("k1", "ES256") is not None
    clock.seconds += BELIEVED_SECONDS
    assert await link.key("k1", "ES256") is None


async def test_only_keys_that_a_signature_can_be_checked_with_are_keys(issuer: Issuing) -> None:
    for_encryption = ECKey.generate_key("P-256", {"kid": "encryption", "use": "enc"})
    shared = OctKey.generate_key(256, {"kid": "shared"})
    other = ECKey.generate_key("P-521", {"kid": "other"})
    issuer.keys += [for_encryption, shared, other]
    link = link_to(issuer)

    assert await link.key("k1", "ES256") is not None
    for name in ("encryption", "shared", "other"):
        assert await link.key(name, "ES256") is None
    assert await link.count_keys() == 1


async def test_a_token_that_names_no_key_means_the_only_one_there_is(issuer: Issuing) -> None:
    assert await link_to(issuer).key(None, "ES256") is not None
    issuer.keys.append(new_key("k2"))
    assert await link_to(issuer).key(None, "ES256") is None


async def test_a_key_that_is_listed_twice_is_one_key(issuer: Issuing) -> None:
    issuer.keys.append(issuer.keys[0])
    link = link_to(issuer)

    assert await link.key("k1", "ES256") is not None
    assert await link.key(None, "ES256") is not None
    assert await link.count_keys() == 1


async def test_keys_of_several_kinds_may_share_an_id_and_of_one_kind_none_is_guessed(issuer: Issuing) -> None:
    issuer.keys.append(OKPKey.generate_key("Ed25519", {"kid": "k1", "use": "sig"}))
    link = link_to(issuer)

    assert isinstance(await link.key("k1", "ES256"), ECKey)
    assert isinstance(await link.key("k1", "EdDSA"), OKPKey)
    assert isinstance(await link.key(None, "ES256"), ECKey)
    for algorithm in ("RS256", "HS256", "none", ""):
        assert await link.key("k1", algorithm) is None
    assert await link.count_keys() == 2
    issuer.keys.append(new_key("k1"))
    assert await link_to(issuer).key("k1", "ES256") is None


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": "https://somebody.example"},
        {"issuer": None},
        {"jwks_uri": "http://keys.example/jwks"},
        {"jwks_uri": "ftp://keys.example/jwks"},
        {"token_endpoint": None},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
    ids=str,
)
async def test_metadata_of_somebody_else_or_that_cannot_be_used_is_refused(
    issuer: Issuing, changed: dict[str, str | None]
) -> None:
    issuer.document |= changed
    link = link_to(issuer)

    for _ in range(5):  # whoever sends tokens in its name
        with pytest.raises(Unavailable):
            await link.key("k1", "ES256")
    assert issuer.asked == {"metadata": 1}


@pytest.mark.parametrize("methods", [None, 5, {}, "client_secret_post", []], ids=str)
async def test_metadata_that_name_no_methods_mean_the_usual_one(issuer: Issuing, methods: object) -> None:
    issuer.document["token_endpoint_auth_methods_supported"] = methods

    assert (await link_to(issuer).metadata()).token_methods == {"client_secret_basic"}


async def test_an_issuer_that_does_not_answer_is_left_alone_for_a_moment(issuer: Issuing) -> None:
    clock = Clock()
    link = link_to(issuer, clock)
    issuer.document["jwks_uri"] = f"{issuer.address}/nowhere"

    for _ in range(5):
        with pytest.raises(Unavailable):
            await link.key("k1", "ES256")
    assert issuer.asked == {"metadata": 1}
    issuer.document.clear()
    clock.seconds += BELIEVED_SECONDS + FAILED_SECONDS
    assert await link.key("k1", "ES256") is not None
