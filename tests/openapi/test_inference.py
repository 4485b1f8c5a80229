"""Effect and tier as they are inferred: every word may only raise, and what is not known is of tier high."""

import pytest
from openapi_recorder import imported

from connectors.openapi import ImportedTool


def tool(method: str, path: str, name: str = "", summary: str = "", body: str = "") -> ImportedTool:
    said = f"operationId: {name}\n      " if name else ""
    content = f"requestBody: {{content: {{application/json: {{schema: {body}}}}}}}\n      " if body else ""
    text = f"""
openapi: 3.0.3
paths:
  {path}:
    {method}:
      {said}{content}summary: {summary!r}
      responses: {{200: {{description: Yes.}}}}
"""
    return imported(text).tools[0]


CASES = {
    "a read": (("get", "/deals/{id}", "getDeal"), ("read", "low")),
    "a read of secrets": (("get", "/apps/{id}/api_keys", "listApiKeys"), ("read", "medium")),
    "a GET that deletes": (("get", "/deals/{id}/delete"), ("delete", "high")),
    "a GET that sends": (("get", "/reminders/send", "sendReminders"), ("send", "high")),
    "a GET of messages is no sending": (("get", "/messages", "listMessages"), ("read", "low")),
    "a GET that says so in its summary alone": (
        ("get", "/steps.done", "steps", "Marks a step as done."),
        ("update", "high"),
    ),
    "a creation": (("post", "/deals", "createDeal"), ("create", "medium")),
    "a change of one record": (("patch", "/deals/{id}", "updateDeal"), ("update", "medium")),
    "a change of nothing in particular": (("patch", "/deals", "updateDeals"), ("update", "high")),
    "a POST nobody knows": (("post", "/frobnicate", "frobnicate"), ("create", "high")),
    "a POST that searches": (("post", "/deals/search", "searchDeals"), ("update", "high")),
    "a POST that deletes": (("post", "/deals/archive", "archiveDeals"), ("delete", "high")),
    "a POST that sends": (("post", "/mails/{id}/send"), ("send", "high")),
    "a deletion": (("delete", "/deals/{id}"), ("delete", "high")),
    "a purge": (("post", "/contacts/gdpr-delete", "purgeContact"), ("delete", "critical")),
    "money": (("post", "/invoices", "createInvoice"), ("create", "high")),
    "who may do what": (("post", "/users/{id}/roles", "assignRole"), ("update", "critical")),
    "many at once": (("post", "/deals/batch/create", "batchCreate"), ("create", "high")),
}


@pytest.mark.parametrize(("said", "expected"), CASES.values(), ids=CASES)
def test_effect_and_tier_follow_from_all_that_is_said(said: tuple[str, ...], expected: tuple[str, str]) -> None:
    inferred = tool(*said)

    assert (inferred.spec.effect.value, inferred.spec.tier.value) == expected
    assert inferred.effect_reason
    assert inferred.tier_reason


def test_a_list_of_records_raises_the_tier() -> None:
    one = tool("post", "/deals", "createDeal", body="{type: object, properties: {name: {type: string}}}")
    many = tool("post", "/deals", "createDeals", body="{type: array, items: {type: object}}")

    assert one.spec.tier.value == "medium"
    assert many.spec.tier.value == "high"
    assert "list of records" in many.tier_reason


def test_a_search_by_post_says_what_its_owner_may_say() -> None:
    assert "effect: read" in tool("post", "/deals/search", "searchDeals").effect_reason
