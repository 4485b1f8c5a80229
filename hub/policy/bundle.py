"""A policy bundle: Cedar rules validated against the hub's schema, with a digest and handles prepared once."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any, Final, cast

import cedarpy

from hub.core.canonical import digest
from hub.policy.annotations import BundleInvalid, Fault, Rule, read_rule
from hub.policy.examples import Example, read_examples
from hub.policy.histories import History, check_asked, read_histories
from hub.policy.places import Place, Stretch, rule_stretches
from hub.policy.values import Action, Facts

Json = Any
"""Any JSON value."""

_RULE_NAME: Final = re.compile(r"policy(\d+)")
_FOR_ONE_ACTION: Final = re.compile(r'context for Action::"\w+"')


@cache
def schema() -> cedarpy.Schema:
    """Return the Cedar schema that every bundle is validated and evaluated with."""
    return cedarpy.Schema.from_str(_schema_text())


def schema_digest() -> str:
    """Return the SHA-256 of the schema that bundles are checked against, in hex: a part of every bundle's digest."""
    return hashlib.sha256(_schema_text().encode()).hexdigest()


@cache
def _schema_text() -> str:
    return files("hub.policy").joinpath("model.cedarschema").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Rules that decisions are made with, and the examples they must keep to.

    Two bundles with one digest decide everything alike.
    """

    text: str
    digest: str
    rules: Mapping[str, Rule]
    policies: cedarpy.PolicySet
    permits: cedarpy.PolicySet
    reads_claims: bool
    watches: bool
    """Whether any of its rules is an alarm."""
    examples: tuple[Example, ...]
    example_places: tuple[Place, ...]
    histories: Mapping[str, History]
    """What is counted of the past for its decisions, by name."""
    stretches: Mapping[str, Stretch]
    """The text of each rule, by its id."""

    @classmethod
    def parse(cls, text: str) -> "Bundle":
        """Return the bundle that `text` (Cedar) defines.

        Raises:
            BundleInvalid: it is not Cedar, it does not fit the schema, or an annotation or an example is wrong.
        """
        stretches = rule_stretches(text)
        _check_cedar(text, stretches)
        parsed: dict[str, Json] = json.loads(cedarpy.policies_to_json_str(text))
        if parsed.get("templates"):
            raise BundleInvalid("The bundle has templates; write the rules out.")
        static: dict[str, dict[str, Json]] = parsed["staticPolicies"]
        rules = {name: _rule(policy, stretches[_number(name)].place) for name, policy in static.items()}
        _check_ids(rules)
        _check_scopes(static, rules)
        histories = read_histories(text)
        for name, policy in static.items():
            check_asked(policy["conditions"], histories, stretches[_number(name)].place)
        examples = read_examples(text)
        allowing = {place: policy for place, policy in static.items() if not rules[place].is_forbid}
        permits = cedarpy.policies_from_json_str(json.dumps({**parsed, "staticPolicies": allowing}))
        return cls(
            text=text,
            digest=digest({"policies": text, "schema": schema_digest()}),
            rules=rules,
            policies=cedarpy.PolicySet.from_str(text),
            permits=cedarpy.PolicySet.from_str(permits),
            reads_claims=any(mentions(policy["conditions"], "claims") for policy in static.values()),
            watches=any(rule.is_alarm for rule in rules.values()),
            examples=tuple(example for example, _ in examples),
            example_places=tuple(place for _, place in examples),
            histories=histories,
            stretches={rules[name].id: stretches[_number(name)] for name in static},
        )

    def situation(self, example: Example) -> Facts:
        """Return the facts of the call that `example` describes; of the history, what it does not give is 0.

        Raises:
            BundleInvalid: it gives a history that is not declared.
        """
        described = example.situation()
        if unknown := sorted(described.history.keys() - self.histories.keys()):
            raise BundleInvalid(f"Example {example.example!r}: there is no history {unknown[0]}.")
        return replace(described, history=dict.fromkeys(self.histories, 0) | dict(described.history))


def _check_cedar(text: str, stretches: Sequence[Stretch]) -> None:
    """Let a text pass that is Cedar and fits the schema; Cedar's own words do not say in which line."""
    validation = cedarpy.validate_policies(text, _schema_text())  # pyright: ignore[reportUnknownMemberType]  # bare dict
    if validation.validation_passed:
        return
    named = [(error.policy_id, str(error.error)) for error in validation.errors]
    faults = list(dict.fromkeys(_fault(name, said, stretches) for name, said in named))
    told = "; ".join(f"{fault.place}: {fault.message}" if fault.place else fault.message for fault in faults)
    raise BundleInvalid(f"The bundle is not valid: {told}", faults=faults)


def _fault(name: str, said: str, stretches: Sequence[Stretch]) -> Fault:
    if _RULE_NAME.fullmatch(name):
        plain = said.removeprefix(f"for policy `{name}`, ")
        return Fault(message=_FOR_ONE_ACTION.sub("the context of a call", plain), place=stretches[_number(name)].place)
    unread = next((one for one in stretches if not _is_cedar(one.text)), None)
    return Fault(message=said, place=None if unread is None else unread.place)


def _is_cedar(text: str) -> bool:
    try:
        cedarpy.policies_to_json_str(text)
    except ValueError:
        return False
    return True


def _rule(policy: Mapping[str, Json], place: Place) -> Rule:
    try:
        return read_rule(policy["effect"], policy.get("annotations") or {}, place=str(place))
    except BundleInvalid as error:
        raise BundleInvalid(error.message, faults=(Fault(message=error.message, place=place),)) from error


def _number(name: str) -> int:
    """Return which rule of the text Cedar means by `name`, counted from 0."""
    return int(name.removeprefix("policy"))


def _check_ids(rules: Mapping[str, Rule]) -> None:
    names = [rule.id for rule in rules.values()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BundleInvalid(f"Two rules have the @id {twice[0]}; decisions could not tell them apart.")


def _check_scopes(static: Mapping[str, Mapping[str, Json]], rules: Mapping[str, Rule]) -> None:
    """Refuse annotations on rules about other actions than theirs: they would do nothing, and the call would go on."""
    for place, rule in rules.items():
        scope = static[place]["action"]
        by_itself = scope["op"] == "==" and scope["entity"]["id"] == Action.AUTOCOMMIT
        if rule.sample is not None and not by_itself:
            raise BundleInvalid(f'Rule {rule.id}: @review needs the scope action == Action::"autocommit".')
        is_alarm = scope["op"] == "==" and scope["entity"]["id"] == Action.ALARM
        if rule.is_alarm is not is_alarm:
            told = 'a rule with @raise or @suspend, and no other, has the scope action == Action::"alarm".'
            raise BundleInvalid(f"Rule {rule.id}: {told}")
        if rule.obligations and not by_itself:
            raise BundleInvalid(f'Rule {rule.id}: @require and @confirm need the scope action == Action::"autocommit".')


def mentions(value: Json, attribute: str) -> bool:
    """Return whether conditions, as Cedar writes them in JSON, read an attribute."""
    if isinstance(value, dict):
        members = cast("dict[str, Json]", value)
        return members.get("attr") == attribute or any(mentions(member, attribute) for member in members.values())
    return isinstance(value, list) and any(mentions(item, attribute) for item in cast("list[Json]", value))
