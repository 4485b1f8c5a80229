"""`toolhub connector import mcp`: another MCP server's tools become a connector, by the word of its owner."""

from difflib import get_close_matches
from enum import StrEnum
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from connectors.mcp_upstream import Discovery, Owner, before_discovery
from connectors.sdk.auth import ApiKey, AuthSpec, Bearer, ClientCredentials, TokenExchange
from connectors.sdk.harness import PlainHarness
from connectors.sdk.spec import ConnectorSpec
from hub.cli.connector.naming import checked_name
from hub.cli.connector.publish import Also, publish_spec, show_difference
from hub.cli.connector.secret import ask_fields
from hub.cli.connector.trying import equipment
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


TokenUrl = Annotated[str, typer.Option(help="Where tokens are given, with client-credentials and token-exchange.")]
Audience = Annotated[str, typer.Option(help="Whom such a token is for, if the issuer wants to be told.")]


def mcp(  # noqa: PLR0913  # one for each option of the command
    url: Annotated[
        str, typer.Argument(help="The server's endpoint, or stdio:NAME of one that TOOLHUB_STDIO_SERVERS allows.")
    ],
    name: Annotated[str, typer.Option(help="What to call the connector.")],
    *,
    reads: Annotated[list[str] | None, typer.Option(help="A tool that changes nothing; may be repeated.")] = None,
    vouch: Annotated[bool, typer.Option("--vouch", help="Believe what its tools declare of themselves.")] = False,
    sign_in: Annotated[SignIn, typer.Option(help="How the server is shown who asks.")] = SignIn.NONE,
    token_url: TokenUrl = "",
    audience: Audience = "",
    register: Annotated[bool, typer.Option("--register", help="Publish what was found.")] = False,
    also: Also = None,
) -> None:
    """Import the tools of an MCP server.

    Without your word every tool is a write of tier high that cannot be previewed. --reads names tools that change
    nothing. --vouch believes what a connector in another language declares under dev.toolhub/operation: effects, tiers,
    previews, guards and undo. `toolhub connector check` can then prove it. A credential's fields are asked for, or
    taken from TOOLHUB_SECRET_<FIELD>, for this look alone; enter them again for the connection.

    Examples:
      toolhub connector import mcp http://127.0.0.1:8800/mcp --name notes --reads search

      toolhub connector import mcp http://127.0.0.1:8800/mcp --name acme_crm --vouch --register

      toolhub connector import mcp https://notes.example/mcp --name notes --sign-in bearer --register
    """
    auth = _auth(sign_in, token_url, audience)
    owner = Owner(name=checked_name(name), auth=auth, reads=frozenset(reads or ()), vouches=vouch)
    found = run(_discovered(owner, url, settings()))
    _check_reads(owner.reads, found)
    _print(found)
    if register:
        spec = run(_numbered(settings(), found.spec))
        changes, versions = run(publish_spec(settings(), spec, only_show=False, also=also or ()))
        show_difference(spec, changes, versions)


def _auth(sign_in: SignIn, token_url: str, audience: str) -> AuthSpec:
    needs_issuer = sign_in in {SignIn.CLIENT_CREDENTIALS, SignIn.TOKEN_EXCHANGE}
    if needs_issuer != bool(token_url):
        fail("--token-url belongs to --sign-in client-credentials and token-exchange, and they need it.")
    match sign_in:
        case SignIn.BEARER:
            return Bearer()
        case SignIn.API_KEY:
            return ApiKey()
        case SignIn.CLIENT_CREDENTIALS:
            return ClientCredentials(token_url=token_url, audience=audience)
        case SignIn.TOKEN_EXCHANGE:
            return TokenExchange(token_url=token_url, audience=audience)
        case SignIn.NONE:
            return AuthSpec()


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


def _check_reads(reads: frozenset[str], found: Discovery) -> None:
    """End the command if the owner speaks of a tool that is not there: the one that was meant would be a write."""
    for name in sorted(reads - found.tools):
        meant = get_close_matches(name, found.tools, n=1)
        fail(f"--reads {name}: the server has no such tool." + (f" Did you mean {meant[0]}?" if meant else ""))


def _print(found: Discovery) -> None:
    names = [one.name for one in found.spec.operations]
    heads = ("there", "effect", "tier", "class", "preview", "undo")
    table = Table(folding("tool", names), *map(folding, heads), title=found.spec.title)
    for one in found.spec.operations:
        row = (one.effect, one.tier, one.upstream_class, one.fidelity, one.reversal)
        table.add_row(one.name, escape(str(one.binding["tool"])), *(value.value for value in row))
    out.print(table)
    for refusal in found.refused:
        out.print(f"[yellow]Left out[/] {refusal.tool}: {refusal.reason}", highlight=False)
    nothing = found.spec.model_copy(update={"operations": (), "description": ""})
    for advice in advice_on(nothing, found.spec, {}):
        where = advice.operation or "the server itself"
        out.print(f"[yellow]{advice.sign.value}[/] {escape(where)}: {escape(advice.says)}", highlight=False)
