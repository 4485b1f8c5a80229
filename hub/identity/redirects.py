"""Redirect URIs: which may be registered, which of a client's a request meant, and how an answer is attached."""

from collections.abc import Collection
from typing import Final
from urllib.parse import SplitResult, urlencode, urlsplit, urlunsplit

from hub.core.errors import InputError

MAX_URI_LENGTH: Final = 2000
_LOOPBACK_LITERALS: Final = {"127.0.0.1", "::1"}
_LOOPBACK: Final = _LOOPBACK_LITERALS | {"localhost"}


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

    Comparison is by character (OAuth 2.1 section 2.3.1). One exception: a native app that listens on a port of the
    moment registers `http://127.0.0.1/path` or `http://[::1]/path` without port, and any port matches it (RFC 8252
    section 7.3). A request without a redirect URI means the only one there is.
    """
    if requested is None:
        return next(iter(registered)) if len(registered) == 1 else None
    if requested in registered or _without_loopback_port(requested) in registered:
        return requested
    return None


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
    parts = _split(uri)
    if parts is None or parts.scheme != "http" or parts.hostname not in _LOOPBACK_LITERALS or parts.port is None:
        return None
    bare = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return uri.replace(parts.netloc, bare, 1) if parts.netloc == f"{bare}:{parts.port}" else None


def _split(uri: str) -> SplitResult | None:
    try:
        parts = urlsplit(uri)
        _ = parts.port  # refuses what is no port
    except ValueError:
        return None
    return parts
