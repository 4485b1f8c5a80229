"""What federated servers offer beside tools: which resources and prompts a caller sees, and reading one of them.

A name is published as its server gave it, unless two connections offer the same on one hub server, or it begins as
a connection's long names do (of addresses: of any that there might be): then it stands under its connection's name,
`NAME+` before an address and `NAME.` before a prompt, and so nobody takes another's place. The long form is always
understood, and before any other. A template stands under its own name only where nobody else lists anything that begins
as it does, up to the colon; so an address without a connection's name is made from the templates of one connection
alone. Reading is a governed read like any other: policy, limits, masks and record.
"""

import re
from asyncio import sleep
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from connectors.mcp_upstream.serving import COMPLETIONS, LISTED, PROMPTS, RESOURCES
from hub.core.errors import NotFound
from hub.core.texts import shown
from hub.identity.principals import Caller
from hub.invocations.addresses import LONGEST, Address
from hub.invocations.invoke import invoke
from hub.invocations.masking import answer_for
from hub.invocations.runtime import Runtime
from hub.invocations.values import Call, Invocation
from hub.registry import Connection, PublishedTool

Json = Any
"""Any JSON value."""

MOST_LISTENED_TO: Final = 64
"""Resources that one stream of a client tells of."""
_AS_LONG: Final = re.compile(r"[a-z][a-z0-9-]{0,47}\+")
"""How an address begins that has a connection's name in front."""
_AT_A_TIME: Final = 100
"""Templates that are compared before others get their turn: whoever lists thousands delays nobody else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of thing: where its list stands, what names it, and what joins a connection's name to that."""

    serves: str
    listed: str
    key: str
    joint: str


RESOURCE: Final = Kind(serves=RESOURCES, listed="resources", key="uri", joint="+")
TEMPLATE: Final = Kind(serves=RESOURCES, listed="templates", key="uriTemplate", joint="+")
PROMPT: Final = Kind(serves=PROMPTS, listed="prompts", key="name", joint=".")


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """A resource, a template or a prompt as a hub server offers it: under which name, what its own server calls it."""

    kind: Kind
    name: str
    own: str
    told: Mapping[str, Json]
    reader: PublishedTool

    @property
    def described(self) -> dict[str, Json]:
        """Return what is told of it, under its published name."""
        return {**self.told, self.kind.key: self.name}

    @property
    def before(self) -> str:
        """Return what stands before its own name in the long one."""
        return f"{self.reader.connection.name}{self.kind.joint}"

    @property
    def long_name(self) -> str:
        """Return the name that its connection has in front."""
        return f"{self.before}{self.own}"


async def things(kind: Kind, *, server: str, caller: Caller, runtime: Runtime) -> list[Thing]:
    """Return what of a kind `server` offers the caller, in the order of the published names.

    Raises:
        NotFound: there is no such server, or the caller may not see it.
    """
    readers = await runtime.catalog.beside_tools(kind.serves, server=server, caller=caller)
    found = [thing for reader in readers for thing in _of(kind, reader)]
    times = Counter(thing.own for thing in found)
    long = tuple({reader.connection.name + kind.joint for reader in readers})
    several = _spaces_of_several(readers) if kind is TEMPLATE else frozenset[str]()
    named = [
        replace(thing, name=thing.long_name)
        if times[thing.own] > 1 or _takes_place(thing, long) or (kind is TEMPLATE and _space(thing.own) in several)
        else thing
        for thing in found
    ]
    return sorted(named, key=lambda thing: thing.name)


def _takes_place(thing: Thing, long: tuple[str, ...]) -> bool:
    """Return whether a thing's own name begins as the long ones do of a connection that is there.

    Of addresses, as those of any connection might: links are told with its name also while it lists nothing.
    """
    return thing.own.startswith(long) if thing.kind is PROMPT else _AS_LONG.match(thing.own) is not None


def _of(kind: Kind, reader: PublishedTool) -> Iterator[Thing]:
    for told in reader.operation.binding[LISTED].get(kind.listed, ()):
        own = str(told[kind.key])
        yield Thing(kind=kind, name=own, own=own, told=told, reader=reader)


def _space(address: str) -> str:
    """Return what every address begins with that is made from a template, up to the colon; empty: with anything."""
    scheme, colon, _ = address.partition(":")
    return "" if not colon or "{" in scheme else scheme.lower()


def _spaces_of_several(readers: Iterable[PublishedTool]) -> frozenset[str]:
    """Return the spaces in which more than one connection lists something, and the one that belongs to nobody."""
    times = Counter(
        space
        for reader in readers
        for space in {_space(one.own) for kind in (RESOURCE, TEMPLATE) for one in _of(kind, reader)}
    )
    return frozenset({"", *(space for space, count in times.items() if count > 1)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """How the addresses that one connection's server gives are published: `names` are of those that it lists."""

    connection: str
    names: Mapping[str, str]

    def outward(self, uri: str) -> str:
        """Return the published form of an address of that server."""
        return self.names.get(uri) or f"{self.connection}{RESOURCE.joint}{uri}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What came of reading: how the read ended, and what is to be said in place of the server's own addresses."""

    invocation: Invocation
    addresses: Addresses


async def addresses_over(connection: Connection, *, server: str, caller: Caller, runtime: Runtime) -> Addresses:
    """Return how `server` publishes to the caller what comes over a connection.

    Raises:
        NotFound: there is no such server, or the caller may not see it.
    """
    listed = await things(RESOURCE, server=server, caller=caller, runtime=runtime)
    names = {one.own: one.name for one in listed if one.reader.connection.id == connection.id}
    return Addresses(connection=connection.name, names=names)


async def read_resource(asked: Call, uri: str, runtime: Runtime) -> Read:
    """Read the resource that a server publishes as `uri`; `asked` says who asks, where and on which trace.

    Raises:
        NotFound: there is none, or the caller may not see it, or two servers could be meant.
        HubError: whatever `invoke` raises.
    """
    reader, own = await find_resource(uri, server=asked.server, caller=asked.caller, runtime=runtime)
    call = replace(asked, tool=reader.name, beside=RESOURCES, arguments={"uri": own})
    listed = await _addresses_beside(reader, asked, runtime)
    addresses = replace(listed, names={**listed.names, own: uri})
    return Read(invocation=await _answered(call, runtime), addresses=addresses)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """The resources and templates that a hub server offers one caller: what addresses are looked up in."""

    resources: list[Thing]
    templates: list[Thing]

    async def find(self, uri: str) -> tuple[PublishedTool, str]:
        """Return what reads the resource that is published as `uri`, and what its own server calls it.

        Raises:
            NotFound: there is none, or the caller may not see it, or two servers could be meant.
        """
        return _named(self.resources, uri) or await _matching(self.resources, self.templates, uri)


async def offered(server: str, caller: Caller, runtime: Runtime) -> Offered:
    """Return what `server` offers the caller under addresses.

    Raises:
        NotFound: there is no such server, or the caller may not see it.
    """
    return Offered(
        resources=await things(RESOURCE, server=server, caller=caller, runtime=runtime),
        templates=await things(TEMPLATE, server=server, caller=caller, runtime=runtime),
    )


async def find_resource(uri: str, *, server: str, caller: Caller, runtime: Runtime) -> tuple[PublishedTool, str]:
    """Return what reads the resource that `server` publishes as `uri`, and what its own server calls it.

    Raises:
        NotFound: there is none, or the caller may not see it, or two servers could be meant.
    """
    return await (await offered(server, caller, runtime)).find(uri)


async def get_prompt(asked: Call, name: str, arguments: Mapping[str, str] | None, runtime: Runtime) -> Read:
    """Fill in the prompt that a server publishes as `name`.

    Raises:
        NotFound: there is none, or the caller may not see it.
        HubError: whatever `invoke` raises.
    """
    reader, own = await _find_prompt(name, asked.server, asked.caller, runtime)
    given = {"name": own} if arguments is None else {"name": own, "arguments": dict(arguments)}
    addresses = await _addresses_beside(reader, asked, runtime)
    call = replace(asked, tool=reader.name, beside=PROMPTS, arguments=given)
    return Read(invocation=await _answered(call, runtime), addresses=addresses)


async def complete(asked: Call, question: Mapping[str, Json], runtime: Runtime) -> Read:
    """Ask for completions of an argument of a prompt or of a template, as `completion/complete` has it.

    Raises:
        NotFound: there is no such prompt or template, or its server completes nothing.
        HubError: whatever `invoke` raises.
    """
    ref = question["ref"]
    reader, own = await _find_completer(ref, asked.server, asked.caller, runtime)
    arguments = {**question, "ref": {**ref, _completed(ref)[1]: own}}
    call = replace(asked, tool=reader.name, beside=COMPLETIONS, arguments=arguments)
    addresses = Addresses(connection=reader.connection.name, names={})  # completions have none
    return Read(invocation=await _answered(call, runtime), addresses=addresses)


async def readers_asked(
    method: str, params: Mapping[str, Json], *, server: str, caller: Caller, runtime: Runtime
) -> list[PublishedTool]:
    """Return what reads that which a request asks for beside tools, as far as the caller sees it, each once."""
    found = dict[str, PublishedTool]()
    with suppress(NotFound):
        if uris := _addresses(method, params):
            there = await offered(server, caller, runtime)
            for uri in uris:
                with suppress(NotFound):
                    reader, _ = await there.find(uri)
                    found[reader.name] = reader
    with suppress(NotFound):
        match method, params:
            case "prompts/get", {"name": str(name)}:
                return [(await _find_prompt(name, server, caller, runtime))[0]]
            case "completion/complete", {"ref": Mapping()}:
                ref = cast("Mapping[str, Json]", params["ref"])
                return [(await _find_completer(ref, server, caller, runtime))[0]]
            case _:
                pass
    return list(found.values())


def _addresses(method: str, params: Mapping[str, Json]) -> list[str]:
    """Return which resources a request is about, as far as it may name so many."""
    match method, params:
        case "resources/read" | "resources/subscribe", {"uri": str(uri)}:
            return [uri]
        case "subscriptions/listen", {"notifications": {"resourceSubscriptions": list()}}:
            uris = cast("list[Json]", params["notifications"]["resourceSubscriptions"])
            return [uri for uri in uris[:MOST_LISTENED_TO] if isinstance(uri, str)]
        case _:
            return []


async def _find_prompt(name: str, server: str, caller: Caller, runtime: Runtime) -> tuple[PublishedTool, str]:
    found = _named(await things(PROMPT, server=server, caller=caller, runtime=runtime), name)
    if found is None:
        raise NotFound(f"There is no prompt {shown(name)} here; list the prompts to see which there are.")
    return found


async def _find_completer(
    ref: Mapping[str, Json], server: str, caller: Caller, runtime: Runtime
) -> tuple[PublishedTool, str]:
    kind, key = _completed(ref)
    found = _named(await things(kind, server=server, caller=caller, runtime=runtime), str(ref.get(key)))
    completers = await runtime.catalog.beside_tools(COMPLETIONS, server=server, caller=caller)
    reader = next((one for one in completers if found and one.connection.id == found[0].connection.id), None)
    if found is None or reader is None:
        raise NotFound(f"There is nothing to complete for {shown(str(ref.get(key)))} here.")
    return reader, found[1]


def _completed(ref: Mapping[str, Json]) -> tuple[Kind, str]:
    """Return of what kind that is whose argument is to be completed, and the member that names it."""
    return (PROMPT, "name") if ref.get("type") == "ref/prompt" else (TEMPLATE, "uri")


async def _addresses_beside(reader: PublishedTool, asked: Call, runtime: Runtime) -> Addresses:
    return await addresses_over(reader.connection, server=asked.server, caller=asked.caller, runtime=runtime)


async def _answered(call: Call, runtime: Runtime) -> Invocation:
    return await answer_for(call.caller, await invoke(call, runtime), runtime)


def _named(found: list[Thing], name: str) -> tuple[PublishedTool, str] | None:
    """Return whose a name is, and what its server calls that; None: nobody's, or it could be of several."""
    long = [(one.reader, one.own) for one in found if name == one.long_name]
    meant = long or [(one.reader, one.own) for one in found if name == one.name]
    return meant[0] if len(meant) == 1 else None


async def _matching(resources: list[Thing], templates: list[Thing], uri: str) -> tuple[PublishedTool, str]:
    """Return whose template `uri` is made from, and what its server calls that.

    Raises:
        NotFound: nobody's, or it could be of several.
    """
    everything = (*resources, *templates)
    meant = {one.before for one in everything if uri.startswith(one.before)}
    able = [one for one in templates if (one.before in meant if meant else one.name == one.own)]
    addresses = {own: Address(own) for own in {uri.removeprefix(one.before) for one in able}}
    for number, one in enumerate(able if len(uri) <= LONGEST else ()):
        if number % _AT_A_TIME == 0:
            await sleep(0)
        own = uri.removeprefix(one.before)
        if addresses[own].is_made_from(one.own):
            return one.reader, own
    if not meant and len({one.before for one in everything if _space(one.own) == _space(uri)}) > 1:
        raise NotFound(f"{shown(uri)} could be of several servers; put a connection's name and + before it.")
    raise NotFound(f"There is no resource {shown(uri)} here; list the resources to see which there are.")
