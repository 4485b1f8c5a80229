"""Redirect URIs: which may be registered, which of a client's a request meant, and how an answer is attached."""

from collections.abc import Collection
from typing import Final
from urllib.parse import SplitResult, urlencode, urlsplit, urlunsplit

from hub.core.errors import InputError

MAX_URI_LENGTH: Final = 2000
_LOOPBACK: Final = {"127.0.0.1", "::1", "localhost"}


def check_redirect_uri(uri: str) -> None:
    """Let a redirect URI pass that codes may safely be sent to.

    That is https; http on the person's own machine; or a scheme of the app's own that carries a domain it owns
    (`com.example.app:/done`, RFC 8252 section 7.1). Never a fragment, credentials, or a host that depends on context.

    Raises:
        InputError: it is anything else.
    """
    if not _is_registrable(uri):
        raise InputError(
            f"The redirect URI {uri[:200]!r} will not do: register https, http on 127.0.0.1, [::1] or localhost,"
            " or a private scheme such as com.example.app:/done; without fragment or user name."
        )


def resolve_redirect_uri(registered: Collection[str], requested: str | None) -> str | None:
    """Return where to send the answer, or None if the request names no place that is registered.

    Comparison is by character (OAuth 2.1 section 2.3.1). One exception: a native app listens on a port of the moment,
    so the port of `http://127.0.0.1`, `http://[::1]` and `http://localhost` may be any, whichever is registered (RFC
    8252 section 7.3). A request without a redirect URI means the only one there is.
    """
    if requested is None:
        return next(iter(registered)) if len(registered) == 1 else None
    portless = _without_loopback_port(requested)
    is_local = portless is not None and any(_without_loopback_port(one) == portless for one in registered)
    return requested if is_local or requested in registered else None


def answer_uri(redirect_uri: str, **parameters: str | None) -> str:
    """Return `redirect_uri` with `parameters` added to whatever query it has; those that are None are left out."""
    parts = urlsplit(redirect_uri)
    added = urlencode({name: value for name, value in parameters.items() if value is not None})
    query = f"{parts.query}&{added}" if parts.query else added
    return urlunsplit(parts._replace(query=query))


def _is_registrable(uri: str) -> bool:
    if len(uri) > MAX_URI_LENGTH or not uri.isascii() or not uri.isprintable() or any(c in uri for c in ' \\#<>"*'):
        return False
    parts = _split(uri)
    if parts is None or "@" in parts.netloc:
        return False
    match parts.scheme:
        case "https":
            return bool(parts.hostname)
        case "http":
            return parts.hostname in _LOOPBACK
        case scheme:
            return "." in scheme and not parts.netloc


def _without_loopback_port(uri: str) -> str | None:
    """Return a loopback URI as it is but for its port, or None if it is none, or is written in an unusual way."""
    parts = _split(uri)
    if parts is None or parts.scheme != "http" or parts.hostname not in _LOOPBACK:
        return None
    bare = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    written = {bare, f"{bare}:{parts.port}"}
    return uri.replace(parts.netloc, bare, 1) if parts.netloc in written else None


def _split(uri: str) -> SplitResult | None:
    try:
        parts = urlsplit(uri)
        _ = parts.port  # refuses what is no port
    except ValueError:
        return None
    return parts
