"""Whoever looks is decided on by what every call is decided on, and by the class of the values."""

import re
from importlib.resources import files

from hub.policy import Action, Allowed, Bundle, decide
from hub.policy.examples import ORDINARY

SCHEMA = files("hub.policy").joinpath("model.cedarschema").read_text(encoding="utf-8")


def attributes(name: str) -> set[str]:
    """Return the attributes of a type of the schema, each with what it is."""
    found = re.search(rf"^type {name} = \{{\n(.*?)^\}};", SCHEMA, re.DOTALL | re.MULTILINE)
    assert found is not None
    return set(re.findall(r"^ +(\w+: [\w<>]+)", found.group(1), re.MULTILINE))


def test_whatever_a_call_tells_a_look_tells_too() -> None:
    """A fact that the schema has for one alone would deny every look, or every call."""
    assert attributes("Look") == attributes("Call") | {"data_class: String"}
    assert attributes("Call") <= attributes("PreviewedCall")


def test_a_look_is_denied_where_no_rule_permits_it() -> None:
    silent = Bundle.parse('@id("ask") permit (principal, action == Action::"propose", resource);')
    open_to_all = Bundle.parse('@id("look") permit (principal, action == Action::"see", resource);')

    assert not isinstance(decide(Action.SEE, ORDINARY, silent), Allowed)
    assert isinstance(decide(Action.SEE, ORDINARY, open_to_all), Allowed)
