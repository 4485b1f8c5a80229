"""What conditions decide about one call: the tier it needs, and which business rules it breaks. Pure; fails closed."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from connectors.sdk.cel import LONGEST, BadExpression, Truth, compiles, evaluate
from connectors.sdk.spec import OperationSpec
from connectors.sdk.vocabulary import Tier

Json = Any
"""Any JSON value."""


class Rule(BaseModel):
    """A business rule of a tool's owner: a condition in CEL that must hold, and what is said when it does not.

    It speaks of `input`, the arguments, and perhaps of `preview`, which has the members of a preview record: such a
    rule is asked once there is a preview.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    condition: str = Field(min_length=1, max_length=LONGEST, examples=["input.amount_minor <= 5000000"])
    message: str = Field(min_length=1, max_length=300, examples=["Refunds above 50 000 are made by Finance."])

    @property
    def needs_preview(self) -> bool:
        """Return whether the rule speaks of the preview."""
        return not compiles(self.condition, ("input",))

    @model_validator(mode="after")
    def _no_contradictions(self) -> Self:
        if self.needs_preview:
            try:
                evaluate(self.condition, {"input": {}, "preview": {}})
            except BadExpression as error:
                raise ValueError(str(error)) from error
        return self


def tier_of(spec: OperationSpec, arguments: Mapping[str, Json]) -> Tier:
    """Return the tier of a call with `arguments`: the declared one, or the highest that a condition raises it to.

    A condition that cannot be decided raises it: nothing that is left out or malformed makes a call less careful.
    """
    raised = [
        tier
        for tier, condition in spec.tier_when.items()
        if evaluate(condition, {"input": arguments}) is not Truth.FALSE
    ]
    return max([spec.tier, *raised], key=lambda tier: tier.rank)


def broken_rules(
    rules: Sequence[Rule], arguments: Mapping[str, Json], preview: Mapping[str, Json] | None = None
) -> list[str]:
    """Return what the rules that a call breaks say. A rule that cannot be decided is broken, and says so.

    Without a `preview` only the rules that speak of the arguments alone are asked.
    """
    asked = [rule for rule in rules if preview is not None or not rule.needs_preview]
    known = {"input": arguments} if preview is None else {"input": arguments, "preview": preview}
    return [told for rule in asked if (told := _told(rule, evaluate(rule.condition, known)))]


def _told(rule: Rule, truth: Truth) -> str:
    match truth:
        case Truth.TRUE:
            return ""
        case Truth.FALSE:
            return rule.message
        case Truth.UNDECIDED:
            return f"{rule.message} (It could not be decided: {rule.condition})"
