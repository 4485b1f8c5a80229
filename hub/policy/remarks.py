"""What to look at before a valid bundle decides: guards that it lost, and that nothing tests it."""

import json
from collections.abc import Mapping
from typing import Any, Final

import cedarpy

from hub.policy.bundle import Bundle, mentions
from hub.policy.values import Action

Json = Any
"""Any JSON value."""

_GUARDS: Final = {
    "is_suspended": "No rule forbids what a suspended agent asks for, or what is done for somebody suspended "
    "(context.is_suspended): the hub's own checks alone are left.",
    "stops": "No rule forbids what a kill switch is to stop (context.stops): the hub's own checks alone are left.",
}
_GUARDED: Final = (Action.PROPOSE, Action.COMMIT)
_UNTESTED: Final = "No example says what these rules are to decide, so nothing tells when a change breaks them."


def remarks(bundle: Bundle) -> tuple[str, ...]:
    """Return what somebody should have looked at before `bundle` decides, in sentences; none of it is an error."""
    rules: Mapping[str, Json] = json.loads(cedarpy.policies_to_json_str(bundle.text))["staticPolicies"]
    found = [told for name, told in _GUARDS.items() if not all(_is_forbidden(name, one, rules) for one in _GUARDED)]
    return tuple(found if bundle.examples else [*found, _UNTESTED])


def _is_forbidden(attribute: str, action: Action, rules: Mapping[str, Json]) -> bool:
    """Return whether a rule for everybody and every tool forbids `action` by what it reads in `attribute`."""
    return any(
        rule["effect"] == "forbid"
        and rule["principal"]["op"] == rule["resource"]["op"] == "All"
        and _covers(rule["action"], action)
        and mentions(rule["conditions"], attribute)
        for rule in rules.values()
    )


def _covers(scope: Mapping[str, Json], action: Action) -> bool:
    if scope["op"] == "All":
        return True
    named = scope["entities"] if "entities" in scope else [scope["entity"]]
    return any(one["id"] == action.value for one in named)
