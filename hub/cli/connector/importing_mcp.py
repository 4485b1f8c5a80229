"""`toolhub connector import mcp`: another MCP server's tools become a connector, by the word of its owner."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import StrEnum
from typing import Annotated, Any, Final, cast

import typer
from rich.markup import escape
from rich.table import Table

from connectors.mcp_upstream import Discovery, Owner, before_discovery, owner_of
from connectors.mcp_upstream.declared import says_it_writes
from connectors.sdk.auth import THE_SYSTEM, ApiKey, AuthSpec, Bearer, ClientCredentials, TokenExchange
from connectors.sdk.harness import PlainHarness
from connectors.sdk.spec import ConnectorSpec, OperationSpec
from connectors.sdk.vocabulary import Effect
from hub.cli.connector.naming import checked_name
from hub.cli.connector.publish import Also, publish_spec, show_difference
from hub.cli.connector.secret import ask_fields
from hub.cli.connector.trying import equipment, registered_here
from hub.cli.console import fail, folding, out, run, settings
from hub.invocations.proving.laboratory import open_laboratory
from hub.opening import open_database
from hub.pins import advice_on
from hub.registry.differing import registered
from hub.registry.numbering import numbered
from hub.settings import Settings


class SignIn(StrEnum):
    """How the hub shows the server who it is."""

    NONE = "none"
    BEARER = "bearer"
    API_KEY = "api-key"
    CLIENT_CREDENTIALS = "client-credentials"
    TOKEN_EXCHANGE = "token-exchange"  # noqa: S105  # what it is called, and no token


Json = Any
"""Any JSON value."""

Names = Annotated[list[str] | None, typer.Option(help="A tool that changes nothing; may be repeated.")]
TakenBack = Annotated[list[str] | None, typer.Option(help="One that you called a read, and is none; may be repeated.")]
Vouch = Annotated[bool | None, typer.Option("--vouch/--no-vouch", help="Believe what its tools declare of themselves.")]
How = Annotated[SignIn | None, typer.Option(help="How the server is shown who asks; none if you never say.")]
TokenUrl = Annotated[str, typer.Option(help="Where tokens are given, with client-credentials and token-exchange.")]
Audience = Annotated[str, typer.Option(help="Whom such a token is for, if the issuer wants to be told.")]
Resource = Annotated[
    str | None,
    typer.Option(help="What such a token is for, if not for the server's own address; '' tells the issuer nothing."),
]
Scope = Annotated[str, typer.Option(help="What such a token is to allow, separated by blanks.")]


_HEADS: Final = (
    "effect: a tool of which nobody says what it does counts as a deletion.\n"
    "class: what the server offers against a write that happens twice: A a key, B a condition, C a lookup, D nothing."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Proof:
    """How the server is shown who asks, as it is said this time."""

    sign_in: SignIn | None
    token_url: str
    audience: str
    resource: str | None
    scope: str

    def auth(self) -> AuthSpec | None:
        """Return the sign-in that the options say, None if they say nothing of it."""
        needs_issuer = self.sign_in in {SignIn.CLIENT_CREDENTIALS, SignIn.TOKEN_EXCHANGE}
        if needs_issuer != bool(self.token_url):
            fail("--token-url belongs to --sign-in client-credentials and token-exchange, and they need it.")
        if not needs_issuer and (self.audience or self.resource is not None or self.scope):
            fail("--audience, --resource and --scope belong to --sign-in client-credentials and token-exchange.")
        if needs_issuer:
            return self._by_token()
        others = {SignIn.BEARER: Bearer(), SignIn.API_KEY: ApiKey(), SignIn.NONE: AuthSpec()}
        return None if self.sign_in is None else others[self.sign_in]

    def _by_token(self) -> AuthSpec:
        """Return the sign-in by a token that is for the server alone, unless it is said otherwise (RFC 8707)."""
        resource = THE_SYSTEM if self.resource is None else self.resource
        url, audience, scope = self.token_url, self.audience, self.scope
        if self.sign_in is SignIn.CLIENT_CREDENTIALS:
            return ClientCredentials(token_url=url, audience=audience, resource=resource, scope=scope)
        return TokenExchange(token_url=url, audience=audience, resource=resource, scope=scope)

    def options(self) -> Iterator[str]:
        """Yield the words of a command that says the same."""
        said = {"--sign-in": self.sign_in, "--token-url": self.token_url, "--audience": self.audience}
        for option, value in (said | {"--scope": self.scope}).items():
            if value:
                yield from (option, value)
        if self.resource is not None:
            yield from ("--resource", self.resource)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    """What the owner says this time; what is None or not named stays as it stands."""

    reads: frozenset[str]
    writes: frozenset[str]
    vouch: bool | None
    proof: _Proof

    def with_those_before(self, standing: Owner) -> Owner:
        """Return all that the owner has said by now."""
        return replace(
            standing,
            auth=self.proof.auth() or standing.auth,
            reads=(standing.reads | self.reads) - self.writes,
            vouches=standing.vouches if self.vouch is None else self.vouch,
        )

    def options(self) -> Iterator[str]:
        """Yield the words of a command that says the same."""
        named = {"--reads": sorted(self.reads), "--writes": sorted(self.writes)}
        for option, values in named.items():
            for value in values:
                yield from (option, value)
        yield from self.proof.options()
        if self.vouch is not None:
            yield "--vouch" if self.vouch else "--no-vouch"


def mcp(  # noqa: PLR0913  # one for each option of the command
    url: Annotated[
        str, typer.Argument(help="The server's endpoint, or stdio:NAME of one that TOOLHUB_STDIO_SERVERS allows.")
    ],
    name: Annotated[str, typer.Option(help="What to call the connector.")],
    *,
    reads: Names = None,
    writes: TakenBack = None,
    vouch: Vouch = None,
    sign_in: How = None,
    token_url: TokenUrl = "",
    audience: Audience = "",
    resource: Resource = None,
    scope: Scope = "",
    register: Annotated[bool, typer.Option("--register", help="Publish what was found.")] = False,
    also: Also = None,
) -> None:
    """Import the tools of an MCP server.

    Without your word every tool is a write of tier high that cannot be previewed. --reads names tools that change
    nothing. --vouch believes what a connector in another language declares under dev.toolhub/operation: effects, tiers,
    previews, guards and undo. `toolhub connector check` can then prove it. What you said of a registered connector
    (reads, vouch, sign-in) stands when you import it again: say only what is new, or take back by --writes, --no-vouch
    or another --sign-in. A credential's fields are asked for, or taken from TOOLHUB_SECRET_<FIELD>, for this look
    alone; enter them again for the connection.

    Examples:
      toolhub connector import mcp http://127.0.0.1:8800/mcp --name notes --reads search

      toolhub connector import mcp http://127.0.0.1:8800/mcp --name notes --reads list --writes search --register

      toolhub connector import mcp http://127.0.0.1:8800/mcp --name acme_crm --vouch --register

      toolhub connector import mcp https://notes.example/mcp --name notes --sign-in bearer --register
    """
    words = _Words(
        reads=frozenset(reads or ()),
        writes=frozenset(writes or ()),
        vouch=vouch,
        proof=_Proof(sign_in=sign_in, token_url=token_url, audience=audience, resource=resource, scope=scope),
    )
    before = run(registered_here(checked_name(name), settings()))
    standing = owner_of(before) if before is not None and before.rpc == "mcp" else Owner(name=name)
    owner = words.with_those_before(standing)
    found = run(_discovered(owner, url, settings()))
    _check_named(words, found)
    _print(found)
    _tell_kept(words, standing, found)
    _tell_unbelieved(owner, found)
    if register:
        spec = run(_numbered(settings(), found.spec))
        changes, versions = run(publish_spec(settings(), spec, only_show=False, also=also or ()))
        show_difference(spec, changes, versions)
    else:
        command = ["toolhub", "connector", "import", "mcp", url, "--name", name, *words.options(), "--register"]
        again = escape(shlex.join(command))
        out.print(f"Nothing was published. To do that: {again}", highlight=False, soft_wrap=True)


async def _discovered(owner: Owner, url: str, chosen: Settings) -> Discovery:
    system = PlainHarness(system=url, base_url=url, secret=ask_fields(owner.auth.secret_fields))
    async with open_laboratory(before_discovery(owner), system, equipment(chosen)) as laboratory:
        found = await laboratory.executor.discover(owner, laboratory.connection)
    if not isinstance(found, Discovery):
        fail(f"{url} cannot be imported: {found.message}")
    return found


async def _numbered(chosen: Settings, spec: ConnectorSpec) -> ConnectorSpec:
    """Return what was found under the version with which it is registered."""
    async with open_database(chosen) as database, database.reading() as tx:
        return numbered(spec, await registered(tx, spec.name))


def _check_named(words: _Words, found: Discovery) -> None:
    """End the command if the owner speaks of a tool that is not there: the one that was meant would be a write."""
    for option, names in (("--reads", words.reads), ("--writes", words.writes)):
        for name in sorted(names - found.tools):
            meant = get_close_matches(name, found.tools, n=1)
            fail(f"{option} {name}: the server has no such tool." + (f" Did you mean {meant[0]}?" if meant else ""))
    if both := words.reads & words.writes:
        fail(f"{', '.join(sorted(both))} cannot be --reads and --writes at once.")
    still = {_theirs(one) for one in found.spec.operations if one.effect is Effect.READ} & words.writes
    for name in sorted(still):
        fail(f"--writes {name}: it declares that it only reads, and you vouch for its server. Say --no-vouch, too.")


def _tell_kept(words: _Words, standing: Owner, found: Discovery) -> None:
    """Say which of the owner's words before have gone into what was found."""
    reads = sorted((owner_of(found.spec).reads & standing.reads) - words.reads)
    kept = [f"--reads {name}" for name in reads]
    kept += ["--vouch"] if standing.vouches and words.vouch is None else []
    is_shown = standing.auth != AuthSpec() and words.proof.sign_in is None
    kept += [f"--sign-in {_dashed(standing.auth.kind)}"] if is_shown else []
    if kept:
        told = escape(", ".join(kept))
        out.print(f"Kept from before: {told}. Take back by --writes, --no-vouch, --sign-in.", highlight=False)


def _dashed(kind: str) -> str:
    return kind.replace("_", "-")


def _tell_unbelieved(owner: Owner, found: Discovery) -> None:
    """Say what the server says of its tools that goes for nothing without the owner's word."""
    count = sum("declares" in one.binding for one in found.spec.operations)
    if count and not owner.vouches:
        told = f"declarations under dev.toolhub/operation ({count} of {len(found.tools)} tools) are not believed"
        out.print(f"[yellow]Look:[/] {told}. --vouch believes them, if you answer for the server.", highlight=False)
    if names := [_theirs(one) for one in found.spec.operations if _would_be_a_read(one)]:
        told = f"its server says of {escape(', '.join(names))} that they only read, and is not believed"
        out.print(f"[yellow]Look:[/] {told}. --reads NAME believes it of one.", highlight=False)


def _would_be_a_read(operation: OperationSpec) -> bool:
    """Return whether the owner's word would make a read of it, and its server invites that."""
    if operation.effect is Effect.READ or "phases" in operation.binding:
        return False
    hints = cast("Mapping[str, Json]", operation.binding.get("hints") or {})
    return hints.get("readOnlyHint") is True and not says_it_writes(hints, operation.binding.get("declares"))


def _theirs(operation: OperationSpec) -> str:
    return str(operation.binding["tool"])


def _print(found: Discovery) -> None:
    names = [one.name for one in found.spec.operations]
    heads = ("there", "effect", "tier", "class", "preview", "undo")
    table = Table(folding("tool", names), *map(folding, heads), title=found.spec.title)
    for one in found.spec.operations:
        row = (one.effect, one.tier, one.upstream_class, one.fidelity, one.reversal)
        table.add_row(one.name, escape(_theirs(one)), *(value.value for value in row))
    out.print(table)
    out.print(_HEADS, style="dim", highlight=False, soft_wrap=True)
    for refusal in found.refused:
        out.print(f"[yellow]Left out[/] {refusal.tool}: {refusal.reason}", highlight=False)
    nothing = found.spec.model_copy(update={"operations": (), "description": ""})
    for advice in advice_on(nothing, found.spec, {}):
        where = advice.operation or "the server itself"
        out.print(f"[yellow]{advice.sign.value}[/] {escape(where)}: {escape(advice.says)}", highlight=False)
