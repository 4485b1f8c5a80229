"""Typed examples of the catalog, tool and server pages."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import cycle

from connectors.sdk.vocabulary import Effect, Fidelity, Reversal, Tier, UpstreamClass
from hub.registry import GRADES, PROMISES, BadgeVerdict, Grade, Promise, Source
from hub.web.badge import SOURCES, VERDICTS, BadgeLineShown, BadgeShown
from hub.web.inert import inert, inert_name, inert_prose
from hub.web.moments import at
from hub.web.new_connection import NewConnectionPage
from hub.web.servers import FAILING, UNAVAILABLE
from hub.web.views.catalog import (
    CatalogPage,
    Choice,
    ConditionLine,
    ConnectionLine,
    ConnectionPage,
    OutageBox,
    SchemaField,
    ServerLine,
    ServersPage,
    StepLine,
    ToolCard,
    ToolPage,
    VersionLine,
)
from hub.web.wording import EFFECTS, FIDELITIES, REVERSALS, TIERS, UPSTREAM_CLASSES, Word

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
HOSTILE = "<script>alert('x')</script> \u202egnp.exe \u200bpay\u0440al " + "long" * 600


def card(name: str, title: str, description: str, tier: Tier, effect: Effect) -> ToolCard:
    """Return a card on the demo's server."""
    return ToolCard(
        url=f"/servers/everything/tools/{name}",
        name=name,
        title=inert_name(title),
        description=inert(description),
        tier=TIERS[tier],
        effect=EFFECTS[effect],
        connector="Tryton",
        connection="tryton-demo",
        environment="dev",
    )


_CARDS = (
    card("party_find", "Find parties", "Find customers and suppliers by name, code or contact.", Tier.LOW, Effect.READ),
    card(
        "party_contact_update",
        "Change a contact of a party",
        "Change one e-mail address or phone number of a party.",
        Tier.MEDIUM,
        Effect.UPDATE,
    ),
    card(
        "sale_confirm",
        "Confirm a sale",
        "Confirm a quoted sale; Tryton then creates its invoice and shipment.",
        Tier.HIGH,
        Effect.UPDATE,
    ),
    card(
        "invoice_post",
        "Post an invoice",
        "Post a customer invoice: it gets its number and goes into the books.",
        Tier.CRITICAL,
        Effect.UPDATE,
    ),
)
_SERVERS = (
    Choice(value="everything", label="Everything (dev)", is_chosen=True),
    Choice(value="sales", label="Sales desk (prod)"),
)
CATALOGS = {
    "full": CatalogPage(query="", servers=_SERVERS, tools=_CARDS, more_url="/?after=invoice_post"),
    "found": CatalogPage(query="invoice", servers=_SERVERS, tools=_CARDS[3:]),
    "none-found": CatalogPage(query="pay\u202eroll", servers=_SERVERS, tools=()),
    "empty": CatalogPage(query="", servers=_SERVERS, tools=()),
    "hostile": CatalogPage(
        query="<b>", servers=_SERVERS, tools=(card("bad", HOSTILE, HOSTILE, Tier.HIGH, Effect.SEND),)
    ),
}
_TERM = ToolPage(
    name="party_payment_term_set",
    title=inert_name("Change a customer's payment term"),
    description=inert(
        "Set the payment term that a customer's new invoices get.\n\nInvoices that are posted already keep theirs."
    ),
    server="everything",
    environment="dev",
    connector=inert_name("Tryton"),
    connector_version="1.0.0",
    connection="Tryton (demo)",
    owner="Olive Owner",
    tier=TIERS[Tier.HIGH],
    tier_reason=inert(""),
    conditions=(),
    effect=EFFECTS[Effect.UPDATE],
    reversal=REVERSALS[Reversal.EXACT],
    residue=(),
    undo_tool="party_payment_term_set",
    fidelity=FIDELITIES[Fidelity.SIMULATED],
    fidelity_rank=Fidelity.SIMULATED.rank,
    upstream_class=UPSTREAM_CLASSES[UpstreamClass.B],
    scopes=("tryton:write", "tool:party_payment_term_set"),
    data_classes=("customer",),
    inputs=(
        SchemaField(
            name="party_id",
            depth=0,
            type_words="whole number",
            is_required=True,
            description=inert("The customer."),
            limits=("at least 1",),
        ),
        SchemaField(
            name="payment_term",
            depth=0,
            type_words="text",
            is_required=True,
            description=inert("Name of the payment term."),
            limits=("1 to 80 characters",),
        ),
    ),
    outputs=tuple(
        SchemaField(
            name=name, depth=depth, type_words="whole number", is_required=True, description=inert_prose("Its `id`.")
        )
        for depth, name in enumerate(("id", "party", "address", "country"))
    ),
    input_json=inert('{\n  "type": "object",\n  "required": ["party_id", "payment_term"]\n}'),
    output_json=inert('{\n  "type": "object"\n}'),
    examples=(inert('{\n  "party_id": 7,\n  "payment_term": "30 days net"\n}'),),
    versions=(
        VersionLine(number=3, digest="9f2c4be1a7d0" + "5c" * 26, used_in=("dev",)),
        VersionLine(number=2, digest="03bb81c55f1e" + "a1" * 26, used_in=("staging", "prod")),
        VersionLine(number=1, digest="77aa10ce9b21" + "7e" * 26, withdrawn="wrong unit"),
    ),
    promotions_url="/promotions?connector=tryton",
    is_read=False,
)
_BADGE = BadgeShown(
    system=inert_name("Tryton 8.0 on SQLite"),
    checked_at=at(NOW - timedelta(days=2), now=NOW),
    lines=tuple(
        BadgeLineShown(
            title=PROMISES[promise],
            verdict=VERDICTS[verdict],
            grade=GRADES[Grade.LIVE],
            reason=inert("By everything the system holds: 4,812 records."),
        )
        for promise, verdict in zip(Promise, cycle(BadgeVerdict), strict=False)
    ),
)
_CLAIM = replace(
    _BADGE,
    source=SOURCES[Source.OWNER],
    by=inert_name("Tom Owner"),
    place=inert_name("CI run 4711"),
    kit=inert_name("0.1.0"),
)
TOOLS = {
    "high": _TERM,
    "reported": replace(_TERM, claim=_CLAIM),
    "owned": replace(
        _TERM,
        owner_url="/servers/everything/tools/x/owner",
        problem="Write the account name of a person who may act. Nothing was changed.",
    ),
    "run-elsewhere": replace(
        _TERM,
        badge=replace(_CLAIM, source=SOURCES[Source.RUNNER], by=inert_name("acme-ci")),
        claim=replace(_CLAIM, by=inert_name(HOSTILE), place=inert_name(HOSTILE), system=inert_name(HOSTILE)),
    ),
    "composite": replace(
        _TERM,
        name="order_for_new_customer",
        steps=(
            StepLine(
                name="customer",
                tool="party_create",
                connection="Tryton (demo)",
                arguments=inert('{\n  "name": {"$from": "/input/name"}\n}'),
                is_final=False,
            ),
            StepLine(
                name="known", tool="party_find", connection="mail", arguments=inert("{}"), is_final=False, is_read=True
            ),
            StepLine(name="welcome", tool="mail_send", connection="mail", arguments=inert(HOSTILE), is_final=True),
        ),
    ),
    "read": replace(
        _TERM,
        name="party_find",
        title=inert_name("Find parties"),
        tier=TIERS[Tier.LOW],
        effect=EFFECTS[Effect.READ],
        is_read=True,
        scopes=("tryton:read", "tool:party_find"),
    ),
    "critical-no-undo": replace(
        _TERM,
        tier=TIERS[Tier.CRITICAL],
        reversal=REVERSALS[Reversal.NONE],
        undo_tool="",
        upstream_class=UPSTREAM_CLASSES[UpstreamClass.D],
    ),
    "partial": replace(_TERM, reversal=REVERSALS[Reversal.PARTIAL], residue=(inert("the sale's number stays used"),)),
    "raised": replace(
        _TERM,
        tier_reason=inert("Raised after a preview and its result differed."),
        conditions=(
            ConditionLine(
                says=inert("At most 30 days. Every call must keep"), condition=inert_name("input.days <= 30")
            ),
        ),
    ),
    "checked": replace(_TERM, badge=_BADGE),
    "bare": replace(_TERM, inputs=(), outputs=(), examples=(), data_classes=()),
    "hostile": replace(
        _TERM,
        title=inert_name(HOSTILE),
        description=inert(HOSTILE),
        examples=(inert(HOSTILE),),
        owner="\u202eevil",
        connection="<b>x",
    ),
}
_SINCE, _SOON = (at(NOW + one, now=NOW) for one in (timedelta(minutes=-4), timedelta(seconds=20)))
_OK = Word(label="enabled", meaning="Calls may use it.", tone="good")
CONNECTION = ConnectionLine(
    url="/connections/con_1",
    name="Tryton (demo)",
    connector="tryton",
    environment="dev",
    base_url=inert("http://127.0.0.1:8001/erp/"),
    generation=3,
    owner="Olive Owner",
    state=_OK,
)
SERVERS = {
    "full": ServersPage(
        servers=(
            ServerLine(
                name="everything",
                title=inert_name("Everything"),
                environment="dev",
                address="http://127.0.0.1:8000/mcp",
                owner="the hub",
                catalog_url="/?server=everything",
            ),
            ServerLine(
                name="sales",
                title=inert_name("Sales desk"),
                environment="prod",
                address="http://127.0.0.1:8000/servers/sales/mcp",
                owner="Olive Owner",
                catalog_url="/?server=sales",
            ),
        ),
        connections=(CONNECTION, replace(CONNECTION, url="/connections/con_2", name="Desk", state=UNAVAILABLE)),
        shows_connections=True,
    ),
    "empty": ServersPage(servers=(), connections=(), shows_connections=True),
    "member": ServersPage(servers=(), connections=(), shows_connections=False),
}
_CHOICES = (Choice(value="tryton", label="Tryton"), Choice(value="desk", label=HOSTILE))
_FORM = NewConnectionPage(
    connectors=_CHOICES,
    connector="tryton",
    secret_fields=("login", "password"),
    environments=(Choice(value="dev", label="dev", is_chosen=True), Choice(value="prod", label="prod")),
)
NEW_CONNECTIONS = {
    "choose": NewConnectionPage(connectors=_CHOICES),
    "form": _FORM,
    "refused": replace(_FORM, name="ERP!", base_url=HOSTILE, problem="The name 'ERP!' will not do."),
}
CONNECTIONS = {
    "mine": ConnectionPage(
        line=CONNECTION, base_url="http://127.0.0.1:8001/erp", secret_fields=("login", "password"), may_correct=True
    ),
    "stoppable": ConnectionPage(
        line=CONNECTION, base_url="http://127.0.0.1:8001/erp", secret_fields=(), may_correct=True, may_stop=True
    ),
    "failing": ConnectionPage(
        line=replace(CONNECTION, state=FAILING),
        base_url="http://127.0.0.1:8001/erp",
        secret_fields=(),
        may_correct=False,
        outage=OutageBox(failures=2, since=None, reason=inert("It answered 502."), next_look=_SOON),
    ),
    "unavailable": ConnectionPage(
        line=replace(CONNECTION, state=UNAVAILABLE),
        base_url="http://127.0.0.1:8001/erp",
        secret_fields=(),
        may_correct=False,
        may_stop=True,
        outage=OutageBox(
            failures=4, since=_SINCE, reason=inert("It could not be reached (connection refused)."), next_look=_SOON
        ),
    ),
    "disabled": ConnectionPage(
        line=CONNECTION,
        base_url="http://127.0.0.1:8001/erp",
        secret_fields=(),
        may_correct=False,
        may_stop=True,
        is_enabled=False,
    ),
    "refused": ConnectionPage(
        line=CONNECTION, base_url="erp", secret_fields=(), may_correct=True, problem="'erp' will not do."
    ),
    "hostile": ConnectionPage(
        line=replace(CONNECTION, name=HOSTILE, owner=HOSTILE, base_url=inert_name(HOSTILE)),
        base_url=HOSTILE,
        secret_fields=("token",),
        may_correct=False,
    ),
}
