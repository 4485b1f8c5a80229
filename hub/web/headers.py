"""The headers that every page leaves with: what a browser may load, frame, keep and send on."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

_ALWAYS: Final[Mapping[str, str]] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_HOST: Final = re.compile(r"[a-z0-9.\-]+|\[[0-9a-f:.]+\]", re.IGNORECASE)
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.\-]*", re.IGNORECASE)


def page_headers(*, is_secure: bool, form_target: str | None = None) -> dict[str, str]:
    """Return the headers of a page. `form_target` is an address its form may be redirected to, beside the hub."""
    transport = {"Strict-Transport-Security": "max-age=31536000"} if is_secure else {}
    policy = {"Content-Security-Policy": content_security_policy(form_target), "Cache-Control": "no-store"}
    return {**_ALWAYS, **policy, **transport}


def static_headers(*, is_pinned: bool) -> dict[str, str]:
    """Return the headers of a static file; `is_pinned` when its address carries the digest of its content."""
    lifetime = "public, max-age=31536000, immutable" if is_pinned else "public, max-age=300"
    return {**_ALWAYS, "Content-Security-Policy": "default-src 'none'", "Cache-Control": lifetime}


def content_security_policy(form_target: str | None = None) -> str:
    """Return the policy: everything from the hub itself, nothing inline, never in a frame.

    Browsers apply `form-action` to the redirect that answers a form too, so a consent has to name where it leads.
    """
    targets = " ".join(["'self'", *_form_source(form_target)])
    return f"default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; form-action {targets}"


def _form_source(address: str | None) -> list[str]:
    if address is None:
        return []
    parts = urlsplit(address)
    if not _SCHEME.fullmatch(parts.scheme):
        return []
    if parts.scheme not in {"http", "https"}:
        return [f"{parts.scheme}:"]
    host = parts.netloc.rpartition("@")[2]
    name, _, port = host.rpartition(":") if re.search(r":\d+$", host) else (host, "", "")
    if not _HOST.fullmatch(name):
        return []
    return [f"{parts.scheme}://{name}:{port}" if port else f"{parts.scheme}://{name}"]
