"""The static files: one stylesheet, two scripts, one mark; served from memory under their digests."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from hub.web.headers import static_headers
from hub.web.rendering import STATIC, static_url

_TYPES: Final = {
    "hub.css": "text/css; charset=utf-8",
    "htmx.min.js": "text/javascript; charset=utf-8",
    "passkeys.js": "text/javascript; charset=utf-8",
    "mark.svg": "image/svg+xml",
}


async def static_file(request: Request) -> Response:
    """Return one of the hub's static files."""
    name = request.path_params["name"]
    if name not in _TYPES:
        return Response(status_code=404, headers=static_headers(is_pinned=False))
    is_pinned = static_url(name).endswith(f"?{request.url.query}")
    content = (STATIC / name).read_bytes()
    return Response(content, media_type=_TYPES[name], headers=static_headers(is_pinned=is_pinned))
