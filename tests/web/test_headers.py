"""What a browser is told: nothing inline, nothing foreign, never in a frame, nothing kept."""

import pytest

from hub.web.headers import content_security_policy, page_headers, static_headers


def test_a_page_may_not_be_framed_kept_or_load_anything_foreign() -> None:
    headers = page_headers(is_secure=False)

    assert headers["Content-Security-Policy"] == (
        "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; form-action 'self'"
    )
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] == "no-store"
    assert "Strict-Transport-Security" not in headers


def test_https_is_remembered_by_the_browser() -> None:
    assert page_headers(is_secure=True)["Strict-Transport-Security"] == "max-age=31536000"


def test_only_a_static_file_addressed_by_its_digest_is_kept_for_ever() -> None:
    assert "immutable" in static_headers(is_pinned=True)["Cache-Control"]
    assert "immutable" not in static_headers(is_pinned=False)["Cache-Control"]


@pytest.mark.parametrize(
    ("address", "sources"),
    [
        ("http://127.0.0.1:8765/callback?x=1", "'self' http://127.0.0.1:8765"),
        ("https://agent.example/cb", "'self' https://agent.example"),
        ("http://[::1]:9000/cb", "'self' http://[::1]:9000"),
        ("cursor://anysphere/cb", "'self' cursor:"),
        ("https://user@agent.example/cb", "'self' https://agent.example"),
        ("https://a.example; script-src *", "'self'"),
        ("https://a.example,b.example/", "'self'"),
        ("not an address", "'self'"),
    ],
)
def test_a_consent_may_lead_to_its_agents_address_and_nowhere_else(address: str, sources: str) -> None:
    assert content_security_policy(address).endswith(f"form-action {sources}")
