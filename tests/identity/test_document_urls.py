"""Where a client's metadata document may be, and for how long it is believed."""

from datetime import timedelta

import pytest

from hub.identity.client_documents import LONGEST_LIFE, SHORTEST_LIFE, USUAL_LIFE, is_document_url, lifetime_in

URL = "https://agents.example.org/oauth/client.json"


@pytest.mark.parametrize(
    ("url", "is_one"),
    [
        (URL, True),
        ("https://agents.example.org:8443/c", True),
        ("http://agents.example.org/c", False),
        ("https://agents.example.org", False),
        ("https://agents.example.org/", False),
        ("https://agents.example.org/a/../c", False),
        ("https://agents.example.org/./c", False),
        ("https://user@agents.example.org/c", False),
        ("https://agents.example.org/c#x", False),
        ("https://agents.example.org:x/c", False),
        ("https://agents.example.org\\c", False),
        ("https:///c", False),
        (f"https://agents.example.org/{'c' * 500}", False),
        ("agt_1", False),
    ],
)
def test_a_document_has_a_plain_https_address_with_a_path(url: str, *, is_one: bool) -> None:
    assert is_document_url(url) is is_one


@pytest.mark.parametrize(
    ("said", "lifetime"),
    [
        (None, USUAL_LIFE),
        ("max-age=600", timedelta(minutes=10)),
        ("public, max-age=7200, immutable", timedelta(hours=2)),
        ("max-age=1", SHORTEST_LIFE),
        ("max-age=999999999", LONGEST_LIFE),
        ("no-store", SHORTEST_LIFE),
        ("no-cache, max-age=7200", SHORTEST_LIFE),
        ("nonsense", USUAL_LIFE),
    ],
)
def test_a_document_is_believed_as_long_as_it_says_within_bounds(said: str | None, lifetime: timedelta) -> None:
    assert lifetime_in({} if said is None else {"cache-control": said}) == lifetime
