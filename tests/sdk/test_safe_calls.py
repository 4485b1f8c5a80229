"""Which calls by GraphQL may be declared to change nothing."""

from typing import Any

import pytest

from connectors.sdk.spec import ConnectorSpec, SafeRule

HASH = "0" * 64


def declared(**rule: Any) -> ConnectorSpec:  # noqa: ANN401  # JSON
    """Return the spec of a connector with one safe rule."""
    return ConnectorSpec(
        name="crm",
        version="1.0.0",
        title="CRM",
        description="Deals.",
        entry="crm:crm",
        artefact_digest=HASH,
        rpc="graphql",
        safe=(SafeRule.model_validate({"method": "POST", **rule}),),
        operations=(),
    )


@pytest.mark.parametrize(
    "rule",
    [
        {"operation": "query/deal"},
        {"operation": "query/*", "method": "GET"},
        {"operation": f"persisted/{HASH}"},
        {"operation": "mutation/dealTry", "preview_only": True},
    ],
    ids=str,
)
def test_queries_kept_documents_and_trials_may_be_safe(rule: dict[str, Any]) -> None:
    assert declared(**rule).rpc == "graphql"


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"method": "GET"},
        {"operation": "*"},
        {"operation": "*/deal"},
        {"operation": "[qm]*"},
        {"operation": "deal"},
        {"operation": "mutation/dealTry"},
        {"operation": "mutation/*", "preview_only": True},
        {"operation": "mutation/dealTry", "preview_only": True, "method": "GET"},
        {"operation": "subscription/deal"},
        {"operation": "persisted/*"},
        {"operation": "query/deal", "method": "HEAD"},
    ],
    ids=str,
)
def test_what_could_write_or_names_no_field_may_not(rule: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="with graphql a safe rule"):
        declared(**rule)
