"""The catalog: tools as cards, one tool in full, servers and connections."""

from dataclasses import dataclass, field

from hub.web.badge import BadgeShown
from hub.web.inert import Inert
from hub.web.moments import At
from hub.web.tool_offers import Offers
from hub.web.wording import Word


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCard:
    """One tool in a list."""

    url: str
    name: str
    title: Inert
    description: Inert
    tier: Word
    effect: Word
    connector: str
    connection: str
    environment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One option of a selection."""

    value: str
    label: str
    is_chosen: bool = False
    meaning: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogPage:
    """Tools that match `query` on one server; `more_url` leads to the ones after them."""

    query: str
    servers: tuple[Choice, ...]
    tools: tuple[ToolCard, ...]
    more_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaField:
    """One field of a schema in words; `depth` is how deeply it is nested."""

    name: str
    depth: int
    type_words: str
    is_required: bool
    description: Inert
    limits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionLine:
    """One immutable version of a tool."""

    number: int
    digest: str
    used_in: tuple[str, ...] = ()
    withdrawn: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionLine:
    """A condition on single calls, in CEL, and what follows from it."""

    says: Inert
    condition: Inert


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLine:
    """One step of a composite tool: which tool it calls, and where its arguments come from."""

    name: str
    tool: str
    connection: str
    arguments: Inert
    is_final: bool
    is_read: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolPage:
    """Everything a person needs to know about one tool."""

    name: str
    title: Inert
    description: Inert
    server: str
    environment: str
    connector: Inert
    connector_version: str
    connection: str
    owner: str
    tier: Word
    tier_reason: Inert
    conditions: tuple[ConditionLine, ...]
    effect: Word
    reversal: Word
    residue: tuple[Inert, ...]
    undo_tool: str
    fidelity: Word
    fidelity_rank: int
    upstream_class: Word
    scopes: tuple[str, ...]
    data_classes: tuple[str, ...]
    inputs: tuple[SchemaField, ...]
    outputs: tuple[SchemaField, ...]
    input_json: Inert
    output_json: Inert
    examples: tuple[Inert, ...]
    versions: tuple[VersionLine, ...]
    promotions_url: str
    is_read: bool
    trust_url: str = ""
    """Where whoever answers for it vouches for its results and sees who is trusted with it."""
    limits_url: str = ""
    """Where its owner sees and changes how much of it may be used."""
    owner_url: str = ""
    """Where the viewer gives it to another owner, if that is theirs to do."""
    problem: str = ""
    badge: BadgeShown | None = None
    claim: BadgeShown | None = None
    """What its owner reports of a run elsewhere."""
    steps: tuple[StepLine, ...] = ()
    """Of a composite tool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLine:
    """One server: a bundle of tools at one address."""

    name: str
    title: Inert
    environment: str
    address: str
    owner: str
    catalog_url: str
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLine:
    """One configured account of a connector."""

    url: str
    name: str
    connector: str
    environment: str
    base_url: Inert
    generation: int
    owner: str
    state: Word
    change_url: str = ""
    """Where it is told what its server says otherwise, while that waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryLine:
    """One tool as it stands on a server; `why_not` says why it is not offered now.

    `needs_tasks`: it is offered to clients alone that know tasks.
    """

    name: str
    url: str
    tool: str
    connection: str
    why_not: Inert | None = None
    needs_tasks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceLine:
    """One thing that a proposal changes."""

    what: Inert
    before: Inert
    after: Inert


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerProposalCard:
    """What somebody wants a server to be."""

    id: str
    server: str
    reason: Inert
    proposed_by: str
    digest: str
    changes: tuple[DifferenceLine, ...]
    may_publish: bool
    may_reject: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerPage:
    """One server: what is on it, who may use it, and the forms of those who look after it."""

    line: ServerLine
    description: Inert
    instructions: Inert
    listing: Choice
    owner_group: str
    scopes: tuple[str, ...]
    agents: tuple[str, ...]
    groups: tuple[str, ...]
    entries: tuple[EntryLine, ...]
    proposals: tuple[ServerProposalCard, ...]
    is_built_in: bool = False
    may_change: bool = False
    takes_two: bool = False
    texts: tuple[str, str, str] = ("", "", "")
    """Title, description and instructions, as they are edited."""
    listings: tuple[Choice, ...] = ()
    group_choices: tuple[Choice, ...] = ()
    team_choices: tuple[Choice, ...] = ()
    offers: Offers = field(default_factory=Offers)
    """What can be put on it, to whoever may change it."""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServersPage:
    """Servers, what waits for a second person, and the connections behind them."""

    servers: tuple[ServerLine, ...]
    connections: tuple[ConnectionLine, ...]
    shows_connections: bool
    may_connect: bool = False
    proposals: tuple[ServerProposalCard, ...] = ()
    environments: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageBox:
    """How a connection has failed of late: since when no call is made, if so, why, and when the hub looks again."""

    failures: int
    since: At | None
    reason: Inert
    next_look: At


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionPage:
    """One connection, to look at, to try and, for its owner or an administrator, to correct."""

    line: ConnectionLine
    base_url: str
    secret_fields: tuple[str, ...]
    may_correct: bool
    limits: str = ""
    may_stop: bool = False
    is_enabled: bool = True
    outage: OutageBox | None = None
    problem: str = ""
