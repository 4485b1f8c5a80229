"""Scopes: which cover what, and what is asked for when they do not."""

import pytest

from connectors.sdk.vocabulary import Effect
from hub.core.errors import ScopeMissing
from hub.identity.principals import Caller, Principal, PrincipalKind
from hub.identity.scopes import are_scopes, covers, needed_scopes, parse_scopes, require, scope_text


def agent_with(*scopes: str, allowed: tuple[str, ...] = ()) -> Caller:
    agent = Principal(
        id="agt_1",
        kind=PrincipalKind.AGENT,
        name="clerk",
        display_name="Clerk",
        groups=frozenset(),
        roles=frozenset(),
        owner_id="usr_1",
        is_suspended=False,
        allowed_scopes=frozenset(allowed or scopes),
    )
    return Caller(actor=agent, scopes=frozenset(scopes))


@pytest.mark.parametrize(
    ("granted", "effect", "is_enough"),
    [
        ("tryton:read", Effect.READ, True),
        ("tryton:write", Effect.UPDATE, True),
        ("tryton:write", Effect.SEND, True),
        ("tool:sale_quote", Effect.UPDATE, True),
        ("tool:sale_quote", Effect.READ, True),
        ("tryton:write", Effect.READ, False),
        ("tryton:read", Effect.CREATE, False),
        ("tool:sale_quote_all", Effect.READ, False),
        ("sap:write", Effect.DELETE, False),
        ("", Effect.READ, False),
    ],
)
def test_the_broader_scope_covers_the_narrower_and_nothing_else(granted: str, effect: Effect, is_enough: bool) -> None:  # noqa: FBT001  # a table's column
    assert covers(frozenset(granted.split()), "tryton", "sale_quote", effect) is is_enough


def test_a_missing_scope_is_named_so_that_it_can_be_asked_for() -> None:
    with pytest.raises(ScopeMissing) as missing:
        require(agent_with("tryton:read"), "tryton", "sale_quote", Effect.UPDATE)

    assert missing.value.needed == ("tryton:write",)
    require(agent_with("tryton:write"), "tryton", "sale_quote", Effect.UPDATE)


def test_an_agent_bound_to_single_tools_is_told_the_scope_it_can_have() -> None:
    bound = frozenset({"tool:sale_quote"})

    assert needed_scopes("tryton", "sale_quote", Effect.UPDATE, allowed=bound) == ("tool:sale_quote",)
    assert needed_scopes("tryton", "sale_confirm", Effect.UPDATE, allowed=bound) == ("tryton:write",)


def test_what_is_no_scope_is_left_out_of_a_request() -> None:
    asked = "tryton:read openid offline_access tool:a tryton:admin tool:A *  tryton:read\n"

    assert parse_scopes(asked) == {"tryton:read", "tool:a"}
    assert not are_scopes(frozenset({"tryton:read", "openid"}))
    assert scope_text(frozenset({"tryton:write", "tool:a"})) == "tool:a tryton:write"
