"""A policy bundle: Cedar rules validated against the hub's schema, with a digest and handles prepared once."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import cedarpy

from hub.core.canonical import digest
from hub.policy.annotations import BundleInvalid, Rule, read_rule

Json = Any
"""Any JSON value."""


@cache
def schema() -> cedarpy.Schema:
    """Return the Cedar schema that every bundle is validated and evaluated with."""
    return cedarpy.Schema.from_str(_schema_text())


@cache
def _schema_text() -> str:
    return files("hub.policy").joinpath("model.cedarschema").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Rules that decisions are made with. Two bundles with one digest decide everything alike."""

    text: str
    digest: str
    rules: Mapping[str, Rule]
    policies: cedarpy.PolicySet
    permits: cedarpy.PolicySet

    @classmethod
    def parse(cls, text: str) -> "Bundle":
        """Return the bundle that `text` (Cedar) defines.

        Raises:
            BundleInvalid: it is not Cedar, it does not fit the schema, or an annotation is wrong.
        """
        validation = cedarpy.validate_policies(text, _schema_text())  # pyright: ignore[reportUnknownMemberType]  # bare dict
        if not validation.validation_passed:
            raise BundleInvalid(f"The bundle is not valid: {'; '.join(str(error) for error in validation.errors)}")
        parsed: dict[str, Json] = json.loads(cedarpy.policies_to_json_str(text))
        if parsed.get("templates"):
            raise BundleInvalid("The bundle has templates; write the rules out.")
        static: dict[str, dict[str, Json]] = parsed["staticPolicies"]
        rules = {
            place: read_rule(policy["effect"], policy.get("annotations") or {}, place=place)
            for place, policy in static.items()
        }
        _check_ids(rules)
        allowing = {place: policy for place, policy in static.items() if not rules[place].is_forbid}
        permits = cedarpy.policies_from_json_str(json.dumps({**parsed, "staticPolicies": allowing}))
        return cls(
            text=text,
            digest=digest({"policies": text, "schema": hashlib.sha256(_schema_text().encode()).hexdigest()}),
            rules=rules,
            policies=cedarpy.PolicySet.from_str(text),
            permits=cedarpy.PolicySet.from_str(permits),
        )


def _check_ids(rules: Mapping[str, Rule]) -> None:
    names = [rule.id for rule in rules.values()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BundleInvalid(f"Two rules have the @id {twice[0]}; decisions could not tell them apart.")
