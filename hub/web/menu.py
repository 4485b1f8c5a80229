"""The menu: what every page offers whoever looks, never a closed door, and what they come to first."""

from dataclasses import dataclass

from hub.identity.permissions import Permission, may
from hub.identity.principals import Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One place in the menu; `key` is by what a page says that it is there, `count` what waits in it."""

    key: str
    url: str
    label: str
    count: int = 0


def menu_of(person: Principal, *, waiting: int, doubts: int, owns_things: bool, has_agents: bool) -> tuple[Entry, ...]:
    """Return what somebody may open, in its order; the first is where they come in.

    `waiting` and `doubts` are how many questions and writes in doubt wait for them.
    """

    def allows(*permissions: Permission) -> bool:
        return any(may(person, one) for one in permissions)

    sees_catalog = allows(Permission.SEE_CATALOG)
    places = (
        (sees_catalog, Entry(key="tools", url="/", label="Tools")),
        (True, Entry(key="approvals", url="/approvals", label="Approvals", count=waiting)),
        (True, Entry(key="invocations", url="/invocations", label="My invocations")),
        (has_agents, Entry(key="acting", url="/acting", label="Agents that act for me")),
        (sees_catalog, Entry(key="servers", url="/servers", label="Servers")),
        (allows(Permission.MANAGE_ACCOUNTS), Entry(key="people", url="/people", label="People")),
        (allows(Permission.SEE_POLICY), Entry(key="policy", url="/policy", label="Policy")),
        (allows(Permission.STOP_THINGS), Entry(key="limits", url="/limits", label="Limits")),
        (owns_things, Entry(key="own-limits", url="/limits/own", label="My limits")),
        (allows(Permission.SEE_AUDIT), Entry(key="audit", url="/audit", label="Log")),
        (allows(Permission.ASK_ERASURE), Entry(key="erasures", url="/erasures", label="Erasures")),
        (
            allows(Permission.SEE_METRICS, Permission.MANAGE_COSTS),
            Entry(key="metrics", url="/metrics", label="Metrics"),
        ),
        (allows(Permission.SEE_HEALTH), Entry(key="health", url="/health", label="Health", count=doubts)),
    )
    return tuple(entry for is_open, entry in places if is_open)
