"""The application of the API: its resources, its errors, and its description in OpenAPI."""

from importlib.metadata import version
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from hub.api import (
    agents,
    approvals,
    audit,
    batches,
    brakes,
    composites,
    connections,
    connectors,
    cost_centres,
    deputies,
    erasures,
    grants,
    groups,
    identities,
    invocations,
    metrics,
    newcomers,
    openmetrics,
    pins,
    policy,
    promotions,
    reviews,
    runners,
    server_definitions,
    servers,
    session,
    tools,
    users,
    webhooks,
)
from hub.api.access import API_PATH, CSRF_HEADER
from hub.api.problems import MEDIA_TYPE, Problem, ProblemViolation, of_http_exception, of_hub_error, of_invalid_request
from hub.api.shell import Shell
from hub.core.errors import HubError
from hub.identity.sessions import cookie_name
from hub.invocations.runtime import Runtime

_DESCRIPTION: Final = """\
The hub's API for automation. Errors are problem details (RFC 9457) with a stable `code`. Lists are paged: send
`next_cursor` back as `cursor`. People log in at `POST /session` and send the session's CSRF token with whatever changes
something; agents send an access token whose resource is this API."""

_PROBLEMS: Final = {
    400: "The request cannot be understood.",
    401: "Nobody has proved who asks.",
    403: "Whoever asks may not do this.",
    404: "It does not exist, or whoever asks may not see it.",
    409: "The state has moved on.",
    413: "The body is too long.",
    415: "The body is not JSON.",
    422: "The request breaks a schema; every violation is named.",
    429: "A limit is reached; `Retry-After` says in how many seconds there may be room.",
    500: "Something went wrong inside the hub.",
    503: "A part the hub needs does not answer; nothing was changed.",
}
_SCHEMA: Final = {"$ref": "#/components/schemas/Problem"}
_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    status: {"description": text, "content": {MEDIA_TYPE: {"schema": _SCHEMA}}} for status, text in _PROBLEMS.items()
}
_RESOURCES: Final = (
    session,
    tools,
    connectors,
    runners,
    composites,
    connections,
    server_definitions,
    servers,
    users,
    groups,
    identities,
    agents,
    newcomers,
    invocations,
    batches,
    approvals,
    deputies,
    erasures,
    grants,
    reviews,
    audit,
    pins,
    policy,
    promotions,
    webhooks,
    brakes,
    metrics,
    openmetrics,
    cost_centres,
)


def create_api(runtime: Runtime) -> FastAPI:
    """Return the API over `runtime`, to be mounted at /api/v1."""
    is_secure = runtime.public_url.startswith("https:")
    app = FastAPI(
        title="toolhub",
        version=version("toolhub"),
        description=_DESCRIPTION,
        docs_url=None,  # these pages would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        responses=_RESPONSES,
        middleware=[Middleware(Shell, is_secure=is_secure)],
        exception_handlers={
            HubError: _hub_error,
            HTTPException: _http_exception,
            RequestValidationError: _invalid_request,
        },
    )
    app.state.runtime = runtime
    for resource in _RESOURCES:
        app.include_router(resource.router)
    app.openapi = lambda: _described(app, runtime)  # type: ignore[method-assign]  # FastAPI's documented way
    return app


async def _hub_error(request: Request, error: HubError) -> Response:
    return of_hub_error(request, error)


async def _http_exception(request: Request, error: HTTPException) -> Response:
    return of_http_exception(request, error)


async def _invalid_request(request: Request, error: RequestValidationError) -> Response:
    return of_invalid_request(request, error)


def _described(app: FastAPI, runtime: Runtime) -> dict[str, Any]:
    if app.openapi_schema is not None:
        return app.openapi_schema
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        servers=[{"url": f"{runtime.public_url.rstrip('/')}{API_PATH}"}],
    )
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for model in (Problem, ProblemViolation):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schema.pop("$defs", None)
        schemas[model.__name__] = schema
    components["securitySchemes"] = {
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": cookie_name(runtime.public_url),
            "description": f"Of `POST /session`; changes need its CSRF token in `{CSRF_HEADER}` too.",
        },
        "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    }
    document["security"] = [{"session": []}, {"token": []}]
    app.openapi_schema = document
    return document
