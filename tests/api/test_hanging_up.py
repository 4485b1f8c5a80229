"""Who hangs up half way, or is too slow, is nobody's failure: no door puts it into the log as one."""

from collections.abc import MutableMapping
from typing import Any

import pytest
from doors.working_hub import PUBLIC_URL, WorkingHub
from structlog.testing import capture_logs

from hub.app import create_app

pytestmark = pytest.mark.anyio

FORM = b"application/x-www-form-urlencoded"
JSON = b"application/json"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/login", FORM),
        ("/oauth/token", FORM),
        ("/oauth/revoke", FORM),
        ("/oauth/introspect", FORM),
        ("/api/v1/session", JSON),
    ],
)
async def test_who_hangs_up_half_way_is_no_failure_of_the_hub(hub: WorkingHub, path: str, kind: bytes) -> None:
    come = [
        {"type": "http.request", "body": b"grant_type=cli", "more_body": True},
        {"type": "http.disconnect"},
    ]
    asked = list[MutableMapping[str, Any]]()

    async def receive() -> MutableMapping[str, Any]:
        asked.append(come[min(len(asked), 1)])
        return asked[-1]

    async def send(_message: MutableMapping[str, Any]) -> None:
        pass

    headers = [(b"host", b"127.0.0.1:8420"), (b"origin", PUBLIC_URL.encode()), (b"content-type", kind)]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "root_path": "", "headers": headers}
    scope |= {"scheme": "http", "server": ("127.0.0.1", 8420), "client": ("127.0.0.1", 4711), "http_version": "1.1"}

    with capture_logs() as logs:
        await create_app(hub.runtime, {})(scope, receive, send)

    assert asked[-1] == {"type": "http.disconnect"}, "its body was read"
    assert logs == []
