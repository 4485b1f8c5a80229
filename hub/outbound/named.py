"""The HTTP client for addresses that the operator named in the settings: webhooks, Slack, witnesses of the log.

No address is judged here, private ones are often what is meant: no account of the hub can set one, and no answer can
lead to another, for redirects are not followed. What an account or an answer names goes by `Outbound`.
"""

import ssl
from functools import cache

import httpx2


def client_to_named(seconds: float) -> httpx2.AsyncClient:
    """Return a client for one exchange, which follows no redirect and knows no proxy; each wait has its `seconds`."""
    return httpx2.AsyncClient(follow_redirects=False, trust_env=False, timeout=seconds, verify=_trusted())


@cache
def _trusted() -> ssl.SSLContext:
    """Return what the machine trusts; reading that takes 20 milliseconds, and it is the same for every client."""
    return ssl.create_default_context()
