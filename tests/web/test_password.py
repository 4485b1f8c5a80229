"""Changing one's own password on a page."""

import pytest
from web_visitor import Visitor, browser_of
from world import PASSWORD, World

from hub.identity.login_budgets import OF_A_KNOWN_BROWSER

pytestmark = pytest.mark.anyio

NEW = "another horse battery"


async def change(visitor: Visitor, old: str = PASSWORD, new: str = NEW, again: str = NEW) -> int:
    """Fill in the form and press the button; return the answer's status."""
    await visitor.get("/password")
    return (await visitor.submit("/password", password=old, new=new, again=again)).status_code


async def test_a_new_password_keeps_this_session_and_ends_every_other(world: World, ann: Visitor) -> None:
    async with browser_of(world.runtime) as elsewhere:
        await elsewhere.log_in("ann", PASSWORD)

        assert await change(ann) == 303

        await ann.follow()
        assert "Your password has been changed." in ann.text
        assert (await ann.get("/")).status_code == 200
        assert (await elsewhere.get("/")).status_code == 303
        assert (await elsewhere.log_in("ann", PASSWORD)).status_code == 401
        assert (await elsewhere.log_in("ann", NEW)).status_code == 303


@pytest.mark.parametrize(
    ("typed", "status", "says"),
    [
        (("not the password!", NEW, NEW), 401, "The old password is not right."),
        ((PASSWORD, NEW, f"{NEW}x"), 400, "The two new passwords differ."),
        ((PASSWORD, "short", "short"), 400, "A password has 12"),
        ((PASSWORD, PASSWORD, PASSWORD), 400, "The new password is the old one"),
    ],
    ids=("wrong", "different", "short", "same"),
)
async def test_what_does_not_add_up_changes_nothing(
    ann: Visitor, typed: tuple[str, str, str], status: int, says: str
) -> None:
    assert await change(ann, *typed) == status

    assert says in ann.text
    assert (await ann.get("/")).status_code == 200
    assert (await ann.log_in("ann", PASSWORD)).status_code == 303


async def test_whoever_finds_an_open_browser_cannot_guess_the_password_there_for_ever(ann: Visitor) -> None:
    for _ in range(OF_A_KNOWN_BROWSER.at_once):
        assert await change(ann, "not the password!") == 401

    assert await change(ann, "not the password!") == 429
    assert "Too many failed attempts" in ann.text
