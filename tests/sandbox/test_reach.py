"""Which addresses a connection may lead to, by what its base URL names and what the operator allows."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.reach import OutOfReach, Reach

pytestmark = pytest.mark.anyio

PUBLIC, PUBLIC_6 = "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
METADATA = (
    *("169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254"),
    *("fd00:ec2::23", "fd20:ce::254", "fd00:c1::a9fe:a9fe", "fd00:42::42"),
)
NOBODY = (
    str(ipaddress.IPv4Address(0)),
    "::",
    "255.255.255.255",
    "224.0.0.1",
    "ff02::1",
    "fe80::1",
    "169.254.1.1",
    "240.0.0.1",
    "fec0::1",
)
DISGUISES = (
    *("::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "64:ff9b::a9fe:a9fe", "::169.254.169.254"),
    *("2002:a9fe:a9fe::1", "2001:0:a9fe:a9fe::1", "64:ff9b:1::a9fe:a9fe", "64:ff9b:1:fffe::1"),
    *("::ffff:0:a9fe:a9fe", "2606:2800::5efe:a9fe:a9fe", "2606:2800::200:5efe:7f00:1"),
)
UNASSIGNED = ("::2", "5f00::1", "3fff::1", "4000::1", "192.88.99.1", "::ffff:192.88.99.1")
PRIVATE = ("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "::1", "fd12:3456::1", "::ffff:10.0.0.1")
EVERYTHING = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))


def reach(*found: str, **allowed: object) -> Reach:
    """Return a reach whose resolver answers `found` to every name."""

    async def resolve(host: str) -> list[str]:
        del host
        return list(found)

    return Reach(resolve=resolve, **allowed)  # type: ignore[arg-type]  # either of its two fields


@pytest.mark.parametrize("address", [PUBLIC, PUBLIC_6])
@pytest.mark.parametrize("name", ["erp.example.com", "erp.internal", "erp"])
async def test_any_name_may_lead_to_a_public_address(name: str, address: str) -> None:
    assert list(map(str, await reach(address).addresses(name))) == [address]


@pytest.mark.parametrize("address", PRIVATE)
async def test_a_private_name_may_lead_into_a_private_network(address: str) -> None:
    for name in ("erp", "erp.internal", "erp.local", "ERP.Corp", "a.home.arpa"):
        assert await reach(address).addresses(name) == [ipaddress.ip_address(address)]


@pytest.mark.parametrize("address", PRIVATE)
async def test_a_public_name_may_not(address: str) -> None:
    with pytest.raises(OutOfReach, match=r"erp\.example\.com leads to"):
        await reach(address).addresses("erp.example.com")


@pytest.mark.parametrize("address", PRIVATE)
async def test_what_is_written_as_an_address_may_if_its_network_is_allowed(address: str) -> None:
    assert await reach().addresses(f"[{address}]" if ":" in address else address)
    with pytest.raises(OutOfReach, match="may not connect to"):
        await reach(private_networks=()).addresses(address)


async def test_the_operator_adds_names_and_takes_networks_away() -> None:
    allowed = reach("10.0.0.1", private_names=("erp.example.com",))
    assert await allowed.addresses("erp.example.com")
    assert await allowed.addresses("a.erp.example.com")
    with pytest.raises(OutOfReach):
        await allowed.addresses("evil-erp.example.com")

    with pytest.raises(OutOfReach):
        await reach("10.0.0.1", private_networks=(ipaddress.ip_network("10.9.0.0/16"),)).addresses("erp.internal")


@pytest.mark.parametrize("address", [*METADATA, *NOBODY, *DISGUISES])
async def test_nobody_reaches_metadata_or_nobody_even_where_everything_is_allowed(address: str) -> None:
    for host, found in ((address, ()), ("erp.internal", (address,)), ("erp.example.com", (address,))):
        with pytest.raises(OutOfReach):
            await reach(*found, private_networks=EVERYTHING).addresses(host)


@pytest.mark.parametrize("address", UNASSIGNED)
async def test_what_is_nobodys_is_not_public(address: str) -> None:
    for host, found in ((address, ()), ("erp.internal", (address,)), ("erp.example.com", (address,))):
        with pytest.raises(OutOfReach):
            await reach(*found).addresses(host)


@pytest.mark.parametrize("mixed", [(PUBLIC, "10.0.0.1"), ("10.0.0.1", PUBLIC), (PUBLIC, "169.254.169.254")])
async def test_an_answer_that_mixes_both_is_refused_as_a_whole(mixed: tuple[str, str]) -> None:
    with pytest.raises(OutOfReach):
        await reach(*mixed).addresses("erp.example.com")


@pytest.mark.parametrize("address", [PUBLIC, "10.0.0.1", "fd12::1"])
async def test_localhost_is_this_machine_or_nothing(address: str) -> None:
    for name in ("localhost", "LOCALHOST", "a.localhost"):
        assert await reach("127.0.0.1", "::1").addresses(name)
        with pytest.raises(OutOfReach):
            await reach(address).addresses(name)


@pytest.mark.parametrize("found", [(), ("nonsense",), ("127.0.0.1; rm",)])
async def test_a_name_without_an_address_is_not_known(found: tuple[str, ...]) -> None:
    with pytest.raises(OSError, match="address"):
        await reach(*found).addresses("erp.example.com")


@pytest.mark.parametrize("host", ["a..b.example", ".example.com", f"{'a' * 64}.example"])
async def test_a_name_that_no_resolver_can_be_asked_for_is_not_known(host: str) -> None:
    with pytest.raises(OSError, match="no name of a host"):
        await Reach().addresses(host)


@given(address=st.ip_addresses())
async def test_what_a_public_name_reaches_is_global(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    try:
        await reach(str(address)).addresses("erp.example.com")
    except OutOfReach:
        return
    mapped = getattr(address, "ipv4_mapped", None) or address
    assert mapped.is_global
    assert not mapped.is_multicast
