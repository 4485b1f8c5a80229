"""`toolhub promotion`: asks that a release be used in staging or prod, shows its gates, and takes it back."""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Final

import typer
from rich.markup import escape
from rich.table import Table

from hub import promotions
from hub.cli.console import fail, folding, out, run, settings, whole
from hub.core.errors import NotFound
from hub.invocations.promoting import ask_for, ask_for_composite, check_gates
from hub.invocations.runtime import Runtime
from hub.promotions import CompositeWish, Decision, Gate, Likeness, Promotion, Stand, Wish
from hub.registry import Environment
from hub.settings import Settings
from hub.wiring import open_runtime

promotion_app = typer.Typer(help="Promotion of a connector's releases: dev to staging to prod.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]
Named = Annotated[str, typer.Argument(help="A promotion's id.")]
Why = Annotated[str, typer.Option("--reason", help="Why; everybody reads it.")]
_COLOURS: Final = {Stand.HOLDS: "green", Stand.OPEN: "yellow", Stand.FAILS: "red"}
_LIKENESS: Final = {Likeness.SAME: "green", Likeness.DIFFERENT: "red", Likeness.UNSURE: "yellow"}

Use = Callable[[Runtime], Awaitable[Promotion]]


@promotion_app.command()
def ask(
    connector: Annotated[str, typer.Argument(help="A published connector.")],
    to: Annotated[Environment, typer.Option(help="Where its release is to be used.")],
    reason: Why,
    *,
    as_json: AsJson = False,
) -> None:
    """Ask that the release in use in the environment before be used there, and look at its gates.

    Recorded writes are played with it from the record; nothing is sent. Exit code 1 says that something is missing
    beside what people still say on its page: the second person's decision and, of a first release, why it may be one.

    Example:  toolhub promotion ask tryton --to staging --reason "The new addresses work."
    """
    wish = Wish(connector=connector, environment=to, reason=reason)
    _tell(run(_done(settings(), lambda runtime: ask_for(wish, runtime, runtime.authority))), as_json=as_json)


@promotion_app.command()
def composite(
    name: Annotated[str, typer.Argument(help="A composite tool, as the environment before offers it.")],
    to: Annotated[Environment, typer.Option(help="Where it is to be used.")],
    reason: Why,
    *,
    over: Annotated[
        list[str] | None, typer.Option(help="STEP=CONNECTION, where a step's connector has several there.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask that a composite tool be used as in the environment before, once its steps' tools are used there.

    Example:  toolhub promotion composite order_for_new_customer --to staging --reason "Tried for a week."
    """
    pairs = [one.partition("=") for one in over or ()]
    if unclear := [step for step, is_given, _ in pairs if not is_given]:
        fail(f"--over takes STEP=CONNECTION; {unclear[0]!r} says no connection.")
    connections = {step: connection for step, _, connection in pairs}
    wish = CompositeWish(name=name, environment=to, reason=reason, connections=connections)
    _tell(run(_done(settings(), lambda runtime: ask_for_composite(wish, runtime, runtime.authority))), as_json=as_json)


@promotion_app.command()
def check(promotion: Named, *, as_json: AsJson = False) -> None:
    """Look at the gates again. Exit code 1 says that something is missing, as of `ask`.

    Example:  toolhub promotion check pro_06dvh3x5m8qk2v7c1n4pz9tbwr
    """
    _tell(run(_done(settings(), lambda runtime: check_gates(promotion, runtime, runtime.authority))), as_json=as_json)


@promotion_app.command("list")
def list_them(
    connector: Annotated[str | None, typer.Argument(help="Of this connector alone.")] = None, *, as_json: AsJson = False
) -> None:
    """List promotions, the newest first."""
    found = run(_found(settings(), connector))
    if as_json:
        typer.echo(json.dumps([as_document(one) for one in found], indent=2))
        return
    rows = [_row(one) for one in found]
    heads = ("connector", "to", "release", "state")
    columns = [folding(head, [row[number] for row in rows]) for number, head in enumerate(heads)]
    table = Table(whole("id", [one.id for one in found]), *columns)
    for one, row in zip(found, rows, strict=True):
        table.add_row(one.id, *row)
    out.print(table)


def _row(one: Promotion) -> tuple[str, ...]:
    release = f"{one.release_name}, not {one.former_name}" if one.former_name else one.release_name
    return one.connector, one.environment.value, release, one.state.value.replace("_", " ")


@promotion_app.command()
def show(promotion: Named, *, as_json: AsJson = False) -> None:
    """Show a promotion with its gates, as they stood when they were looked at last."""

    async def found(runtime: Runtime) -> Promotion:
        async with runtime.database.reading() as tx:
            return await promotions.get_promotion(tx, promotion)

    _show(run(_done(settings(), found)), as_json=as_json)


@promotion_app.command()
def use(promotion: Named) -> None:
    """Put the release in use where no second person is asked for; elsewhere somebody decides on its page.

    Example:  toolhub promotion use pro_06dvh3x5m8qk2v7c1n4pz9tbwr
    """

    async def forced(runtime: Runtime) -> Promotion:
        async with runtime.database.transaction() as tx:
            decision = Decision(digest=(await promotions.get_promotion(tx, promotion)).digest, reason="")
            return await promotions.put_in_force(tx, promotion, decision, runtime.promotions, runtime.authority)

    done = run(_done(settings(), forced))
    out.print(f"[green]In use[/] in {done.environment.value}: {done.connector} {done.version}.", highlight=False)


@promotion_app.command()
def withdraw(promotion: Named, reason: Why) -> None:
    """Take back a promotion that nobody has decided on."""

    async def withdrawn(runtime: Runtime) -> Promotion:
        async with runtime.database.transaction() as tx:
            return await promotions.withdraw(tx, promotion, reason, runtime.authority)

    run(_done(settings(), withdrawn))
    out.print("Withdrawn.")


@promotion_app.command()
def revert(promotion: Named, reason: Why) -> None:
    """Use the former release again at once; this one needs another promotion.

    Example:  toolhub promotion revert pro_06dvh3x5m8qk2v7c1n4pz9tbwr --reason "Prices come out wrong."
    """

    async def reverted(runtime: Runtime) -> Promotion:
        async with runtime.database.transaction() as tx:
            return await promotions.revert(tx, promotion, reason, runtime.authority)

    done = run(_done(settings(), reverted))
    back = f"{done.connector} {done.former_version}" if done.former_version else f"no release of {done.connector}"
    out.print(f"[green]Reverted[/]: {back} is in use in {done.environment.value}.", highlight=False)


def as_document(one: Promotion) -> dict[str, Any]:
    """Return a promotion as JSON."""
    return {
        "id": one.id,
        "connector": one.connector,
        "environment": one.environment.value,
        "version": one.version,
        "former_version": one.former_version,
        "state": one.state.value,
        "reason": one.reason,
        "gates": [each.as_json() for each in one.findings],
        "rehearsal": None if one.rehearsal is None else one.rehearsal.as_json(),
        "explanation": one.explanation,
        "explained_by": one.explained_by,
        "digest": one.digest,
    }


async def _done(chosen: Settings, use: Use) -> Promotion:
    async with open_runtime(chosen) as runtime:
        return await use(runtime)


async def _found(chosen: Settings, connector: str | None) -> Sequence[Promotion]:
    async with open_runtime(chosen) as runtime, runtime.database.reading() as tx:
        found = await promotions.promotions(tx, connector=connector)
    if connector is not None and not found:
        raise NotFound(f"Nothing of {connector!r} was ever asked to be promoted.")
    return found


def _tell(one: Promotion, *, as_json: bool) -> None:
    _show(one, as_json=as_json)
    lacking = promotions.missing(one.findings, by_person=True)
    awaits_word = one.former_version is None and one.rehearsal is not None
    if not all(awaits_word and (each.gate, each.stand) == (Gate.REPLAY, Stand.OPEN) for each in lacking):
        raise typer.Exit(1)
    if as_json:
        return
    if lacking:
        out.print("Next: the connector's owner or an administrator says on its page why it may be the first.")
    elif any(each.gate is Gate.PERSON for each in one.findings):
        out.print("Somebody decides on its page.")
    else:
        out.print(f"Next: toolhub promotion use {one.id}")


def _show(one: Promotion, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(as_document(one), indent=2))
        return
    former = one.former_name or "nothing"
    title = f"{one.id}: {one.connector} {one.release_name} instead of {former} in {one.environment.value}"
    table = Table("gate", "stands", "why", title=f"{title} ({one.state.value.replace('_', ' ')})")
    for each in one.findings:
        table.add_row(each.gate.value, f"[{_COLOURS[each.stand]}]{each.stand.value}[/]", escape(each.reason))
    out.print(table)
    for played in one.rehearsal.played if one.rehearsal else ():
        colour = _LIKENESS[played.likeness]
        out.print(f"[{colour}]{played.likeness.value}[/] {played.tool} {played.invocation_id}", highlight=False)
        for reason in played.reasons:
            out.print(f"    {escape(reason)}", highlight=False)
