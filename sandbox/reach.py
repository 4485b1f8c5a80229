"""Where a connection may lead: the addresses that its own base URL and the operator's settings allow, and no others.

A name is looked up once per TCP connection, every address found is judged, and the connection goes to one that was
judged, so that a name which means something else a moment later (DNS rebinding) leads nowhere new.

| the base URL names | it may lead to |
| --- | --- |
| an address | that address, if it is public or within a private network that is allowed |
| `localhost` | the machine's own addresses, if they are allowed as a private network |
| a private name: one label, `.internal` and its like, or below one the operator lists | the same, and public |
| any other name | public addresses alone |

Metadata services, link-local, multicast and unspecified addresses are out of reach for everybody.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Final

from sandbox.programs import Program

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[[str], Awaitable[Sequence[str]]]

PRIVATE: Final[tuple[Network, ...]] = tuple(
    ipaddress.ip_network(text)
    for text in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")
)
"""The machine itself and the networks of RFC 1918 and RFC 4193."""
_METADATA: Final = frozenset(
    map(
        ipaddress.ip_address,
        (
            *("169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
            *("fd20:ce::254", "fd00:c1::a9fe:a9fe", "fd00:42::42"),
        ),
    )
)
"""Where clouds hand out credentials; some of these look like any private or public address."""
_AMAZONS_OWN: Final = ipaddress.ip_network("fd00:ec2::/32")
"""Its metadata, names, time and the credentials of containers."""
_GLOBAL: Final = ipaddress.ip_network("2000::/3")
"""The whole of what IANA has given out as public IPv6; whatever else looks global is a translation or not in use."""
_EXAMPLES: Final = ipaddress.ip_network("3fff::/20")
"""Of documentation, and not public: RFC 9637, which is younger than many a Python."""
_RELAYS: Final = ipaddress.ip_network("192.88.99.0/24")
"""Of 6to4, whose other end anybody may choose; RFC 7526 has ended them."""
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE: Final = ipaddress.ip_network("::/96")
_TRANSLATED: Final = tuple(map(ipaddress.ip_network, ("64:ff9b:1::/48", "::ffff:0:0:0/96")))
"""Where a network's own translators stand (RFC 8215, RFC 7915): only they know which bits are the IPv4 address."""
_ISATAP: Final = frozenset({0x0000_5EFE, 0x0200_5EFE})
"""The third quarter of an address that carries an IPv4 address in its last one. Source: RFC 5214 section 6.1."""
_LOCAL_NAMES: Final = (".internal", ".local", ".lan", ".home.arpa", ".intranet", ".private", ".corp", ".test")
_LARGEST_SPECIAL: Final = 0xFFFF
"""Below it stand `::` and `::1`; above it, what looks like an IPv4 address."""


class OutOfReach(Exception):
    """The base URL leads where this connection may not; nothing was sent. The message says what would help."""


async def look_up(host: str) -> Sequence[str]:
    """Return the addresses that the machine's resolver knows for `host`.

    Raises:
        OSError: the name is not known, or none that can be asked for.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # of an empty label, say, or of one with more than 63 letters
        raise OSError(f"{host} is no name of a host") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What the operator allows: which private networks at all, which further names may lead into them; in which
    folders files may be that are databases; and which programs may be started as MCP servers.
    """

    private_networks: tuple[Network, ...] = PRIVATE
    private_names: tuple[str, ...] = ()
    folders: tuple[Path, ...] = ()
    programs: Mapping[str, Program] = field(default_factory=dict[str, Program])
    resolve: Resolve = look_up

    async def addresses(self, host: str) -> list[Address]:
        """Return the addresses to which a connection to `host` may be opened, in the order in which to try them.

        Raises:
            OutOfReach: one of them is not allowed: an answer that mixes what is and what is not is no accident.
            OSError: the name is not known.
        """
        literal = literal_address(host)
        found = [literal] if literal is not None else [*_parsed(await self.resolve(host))]
        if not found:
            raise OSError(f"{host} has no address")
        for address in found:
            if not self._allows(host, address, is_named=literal is None):
                raise OutOfReach(_advice(host, is_named=literal is None))
        return found

    def _allows(self, host: str, address: Address, *, is_named: bool) -> bool:
        meant = _meant(address)
        if meant is None or _is_out_of_reach(meant):
            return False
        is_permitted = any(meant in network for network in self.private_networks)
        if is_named and _is_localhost(host):
            return meant.is_loopback and is_permitted
        return _is_public(meant) or (is_permitted and (not is_named or self._is_private_name(host)))

    def _is_private_name(self, host: str) -> bool:
        below = (*_LOCAL_NAMES, *(f".{name.strip('.').lower()}" for name in self.private_names))
        return "." not in host or any(f".{host.lower()}".endswith(name) for name in below)


def literal_address(host: str) -> Address | None:
    """Return the address that `host` is, without brackets, or None if it is a name."""
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None


def _parsed(found: Sequence[str]) -> list[Address]:
    try:
        return [ipaddress.ip_address(text) for text in found]
    except ValueError as error:
        raise OSError("the resolver answered something that is no address") from error


def _meant(address: Address) -> Address | None:
    """Return whom packets to `address` reach in the end; None for tunnels, whose end anybody may choose."""
    if isinstance(address, IPv4Address):
        return address
    if address.sixtofour is not None or address.teredo is not None or int(address) >> 32 & 0xFFFF_FFFF in _ISATAP:
        return None
    if any(address in network for network in _TRANSLATED):
        return None
    is_embedded = address in _NAT64 or (address in _COMPATIBLE and int(address) > _LARGEST_SPECIAL)
    return address.ipv4_mapped or (IPv4Address(int(address) & 0xFFFF_FFFF) if is_embedded else address)


def _is_out_of_reach(address: Address) -> bool:
    is_reserved = address.is_reserved if isinstance(address, IPv4Address) else address.is_site_local
    is_nobody = address.is_unspecified or address.is_multicast or address.is_link_local
    return is_nobody or is_reserved or address in _METADATA or address in _AMAZONS_OWN


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return address.is_global and address not in _RELAYS
    return address.is_global and address in _GLOBAL and address not in _EXAMPLES


def _is_localhost(host: str) -> bool:
    return f".{host.lower()}".endswith(".localhost")


def _advice(host: str, *, is_named: bool) -> str:
    if not is_named:
        return f"This hub may not connect to {host}; its operator decides which private networks are allowed."
    return (
        f"{host} leads to an address that this hub may not connect to by that name; "
        "its operator decides which names may lead into private networks."
    )
