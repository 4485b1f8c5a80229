"""One connector per upstream class, for the same charge: what each class rests on, and nothing else, differs."""

from typing import Annotated

from pydantic import BaseModel, Field

from connectors.sdk import (
    Bearer,
    Connector,
    Context,
    Cost,
    Effect,
    Idempotency,
    Preview,
    RateLimit,
    Read,
    Receipt,
    Refused,
    SafeRule,
    Tier,
    UpstreamClass,
    Write,
    at,
)
from connectors.sdk.operations import WriteOptions

AccountId = Annotated[int, Field(ge=1, le=2**31, description="The account's number")]
Amount = Annotated[int, Field(ge=1, le=1_000_000, description="In cents")]

LARGEST_BALANCE = 100_000


class Account(BaseModel):
    """What has been charged to somebody."""

    id: AccountId
    balance: int
    version: int


class Charge(BaseModel):
    """An amount charged."""

    account: AccountId
    amount: Amount


class ChargeList(BaseModel):
    """Charges found."""

    charges: list[Charge]


Looking = Read[[AccountId], Account]
Charging = Write[[AccountId, Amount], Charge]

_IDEMPOTENCY = {
    UpstreamClass.A: Idempotency(kind="header", name="idempotency-key"),
    UpstreamClass.C: Idempotency(kind="lookup", name="reference"),
}


async def _send(context: Context, promised: UpstreamClass, number: int, amount: int) -> Charge:
    """Send the charge with what its class rests on."""
    target, path = f"accounts/{number}", at(promised.lower(), "accounts", number)
    match promised:
        case UpstreamClass.A:
            return await context.post(f"{path}/charges", {"amount": amount}, Charge, idempotency_key=context.key)
        case UpstreamClass.B:
            balance = context.before[target]["balance"] + amount
            await context.patch(path, {"balance": balance}, Account, if_match=context.guard[target])
            return Charge(account=number, amount=amount)
        case UpstreamClass.C:
            return await context.post(f"{path}/charges", {"amount": amount, "reference": context.key}, Charge)
        case UpstreamClass.D:
            return await context.post(f"{path}/charges", {"amount": amount}, Charge)


def _connector(promised: UpstreamClass) -> Connector:
    """Return the connector for the charges of one class."""
    letter = promised.lower()
    made = Connector(
        f"class_{letter}",
        version="1.0.0",
        description=f"Charges in a system of class {promised}.",
        auth=Bearer(),
        safe=[SafeRule(method="GET")],
        rate=RateLimit(1000, per="second"),
        entry=f"upstream.classes:class_{letter}",
    )

    @made.read(f"account_{letter}")
    async def account(context: Context, number: AccountId) -> Account:
        """Read an account."""
        return await context.get(at(letter, "accounts", number), Account)

    charge = _declared(made, promised)
    _check(charge, account)
    _preview(charge, account, promised)
    if promised is UpstreamClass.C:
        _look_up(charge)
    return made


def _declared(made: Connector, promised: UpstreamClass) -> Charging:
    options: WriteOptions = {
        "effect": Effect.UPDATE,
        "tier": Tier.MEDIUM,
        "tier_when": {Tier.HIGH: "input.amount > 50000"},
        "upstream_class": promised,
        "quarantine_seconds": 1,
        "cost": Cost(amount=1, unit="EUR"),
        "facts": {"amount": "/amount"},
        "volatile": ["version"],
        "examples": [{"number": 1, "amount": 500}],
    }
    if promised in _IDEMPOTENCY:
        options["idempotency"] = _IDEMPOTENCY[promised]

    @made.write(f"charge_{promised.lower()}", **options)
    async def charge(context: Context, number: AccountId, amount: Amount) -> Charge:
        """Charge an amount to an account."""
        return await _send(context, promised, number, amount)

    return charge


def _check(charge: Charging, account: Looking) -> None:
    @charge.check
    async def _(context: Context, number: AccountId, amount: Amount) -> None:
        found = await account(context, number)
        if found.balance + amount > LARGEST_BALANCE:
            raise Refused(f"Account {number} would owe more than {LARGEST_BALANCE}; collect {found.balance} first.")


def _preview(charge: Charging, account: Looking, promised: UpstreamClass) -> None:
    @charge.preview
    async def _(context: Context, number: AccountId, amount: Amount) -> Preview:
        before = await account(context, number)
        after, target, unknown = {"balance": before.balance + amount}, f"accounts/{number}", ["version"]
        if promised is UpstreamClass.B:
            return Preview.update(target, before, after, guard=f'"{before.version}"', unknown=unknown)
        return Preview.update(target, before, after, unknown=unknown)

    @charge.observe
    async def _(context: Context, receipt: Receipt[Charge]) -> dict[str, Account]:
        number = receipt.input["number"]
        return {f"accounts/{number}": await account(context, number)}


def _look_up(charge: Charging) -> None:
    @charge.lookup
    async def _(context: Context) -> Charge | None:
        found = await context.get("/c/charges", ChargeList, query={"reference": context.key})
        return next(iter(found.charges), None)


class_a = _connector(UpstreamClass.A)
class_b = _connector(UpstreamClass.B)
class_c = _connector(UpstreamClass.C)
class_d = _connector(UpstreamClass.D)
CONNECTORS = {
    UpstreamClass.A: class_a,
    UpstreamClass.B: class_b,
    UpstreamClass.C: class_c,
    UpstreamClass.D: class_d,
}
