"""The pages of invitations, and what they leave on others, as typed examples."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hub.web.moments import at
from hub.web.views.entry import InvitationPage, LoginPage
from hub.web.views.operations import ErrorPage
from hub.web.views.people import NewLinkPage, PersonPage

NOW = datetime(2026, 11, 21, 14, 0, tzinfo=UTC)
INVITATION = InvitationPage(
    form_token="form-example", link_token="ivt_example", name="grace", display_name="Grace Hopper"
)
LINK = NewLinkPage(
    id="usr_1",
    name="grace",
    link=f"https://hub.example.org/invitation/ivt_{'Zx9' * 14}",
    expires="24 Nov 2026, 14:00 UTC",
)
GONE = ErrorPage(status=404, heading="This link does not work", message="It was used. Ask for another one.")


def invitation_pages(login: LoginPage) -> Mapping[str, tuple[str, object]]:
    """Return what somebody sees who is not signed in yet."""
    return {
        "login-first-visit": ("login.html", replace(login, is_first_visit=True)),
        "login-empty-hub": ("login.html", replace(login, is_empty_hub=True)),
        "invitation": ("invitation.html", INVITATION),
        "invitation-wrong": ("invitation.html", replace(INVITATION, problem="The two passwords differ.")),
        "invitation-gone": ("error.html", GONE),
    }


def link_pages(person: PersonPage) -> Iterator[tuple[str, str, object]]:
    """Yield what an administrator sees."""
    yield "new-link", "new_link.html", LINK
    yield "person-invited", "person.html", replace(person, invited_until=at(NOW + timedelta(days=3), now=NOW))
