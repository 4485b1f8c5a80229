"""Problem details (RFC 9457): the one shape of every error of the API, with a stable code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Final

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from hub.core.errors import (
    ArgumentsInvalid,
    Conflict,
    Forbidden,
    HubError,
    IdempotencyMismatch,
    InputError,
    NonceNeeded,
    NotFound,
    ProofRefused,
    ScopeMissing,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from hub.identity.possession import ALGORITHMS, BEARER, DPOP, NONCE_HEADER

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:toolhub:problem:"

STATUSES: Final[Mapping[type[HubError], int]] = {
    ArgumentsInvalid: 422,
    IdempotencyMismatch: 422,
    InputError: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    TooMany: 429,
    Unavailable: 503,
}
"""The status of each error; the most special class that is listed counts."""


class ProblemViolation(BaseModel):
    """One broken rule: where, and what was expected."""

    pointer: str = Field(
        description="A JSON pointer into what was sent; empty for the whole of it.", examples=["/name"]
    )
    message: str = Field(examples=["Field required"])


class Problem(BaseModel):
    """What went wrong, in words that a caller may read and a code that a program may rely on."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:toolhub:problem:not_found",
                    "title": "Not Found",
                    "status": 404,
                    "detail": "There is no such invocation.",
                    "code": "not_found",
                    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
                }
            ]
        }
    )

    type: str
    title: str
    status: int
    detail: str
    code: str
    trace_id: str
    violations: list[ProblemViolation] | None = None
    needed_scopes: list[str] | None = None
    retryable: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What went wrong, before it is put into words on the wire."""

    status: int
    code: str
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    violations: Sequence[ProblemViolation] = ()
    needed_scopes: Sequence[str] = ()
    retryable: bool | None = None


def problem(request: Request, trouble: Trouble) -> Response:
    """Return the response that tells of `trouble`."""
    body = Problem(
        type=f"{TYPE_PREFIX}{trouble.code}",
        title=HTTPStatus(trouble.status).phrase,
        status=trouble.status,
        detail=trouble.detail,
        code=trouble.code,
        trace_id=str(request.scope.get("trace_id", "")),
        violations=list(trouble.violations) or None,
        needed_scopes=list(trouble.needed_scopes) or None,
        retryable=trouble.retryable,
    )
    content = body.model_dump_json(exclude_none=True)
    return Response(content, status_code=trouble.status, headers=dict(trouble.headers), media_type=MEDIA_TYPE)


def of_hub_error(request: Request, error: HubError) -> Response:
    """Return the problem that a domain error is at this door."""
    status = next((STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES), 500)
    trouble = Trouble(status=status, code=error.code, detail=error.message)
    match error:
        case ArgumentsInvalid():
            violations = [ProblemViolation(pointer=one.pointer, message=one.message) for one in error.violations]
            trouble = replace(trouble, violations=violations)
        case ScopeMissing():
            trouble = replace(trouble, needed_scopes=error.needed)
        case Unauthenticated():
            trouble = replace(trouble, headers=_challenges(error))
        case TooMany():
            trouble = replace(trouble, headers={"Retry-After": str(error.retry_after_seconds)}, retryable=True)
        case Unavailable():
            trouble = replace(trouble, headers={"Retry-After": "2"}, retryable=True)
        case _:
            pass
    return problem(request, trouble)


def _challenges(error: Unauthenticated) -> Mapping[str, str]:
    """Return what a client is told that has to prove who it is: both schemes, and what was wrong with its proof."""
    held = f'{DPOP} algs="{" ".join(ALGORITHMS)}"'
    if not isinstance(error, ProofRefused):
        return {"WWW-Authenticate": f"{BEARER}, {held}"}
    nonce = {NONCE_HEADER: error.nonce} if isinstance(error, NonceNeeded) else {}
    return {"WWW-Authenticate": f'{held}, error="{error.code}"', **nonce}


def of_http_exception(request: Request, error: HTTPException) -> Response:
    """Return the problem for what the router itself refuses: an unknown path, a method that is not offered."""
    usual = {
        404: ("not_found", "Nothing is found at this address."),
        405: ("method_not_allowed", "This address does not offer that method."),
    }
    code, detail = usual.get(error.status_code, ("http_error", HTTPStatus(error.status_code).phrase))
    return problem(request, Trouble(status=error.status_code, code=code, detail=detail, headers=error.headers or {}))


def of_invalid_request(request: Request, error: RequestValidationError) -> Response:
    """Return the problem for a request that breaks the API's own schema, naming every violation."""
    violations = [_violation(one["loc"], one["msg"]) for one in error.errors()]
    detail = f"{len(violations)} problem(s) with the request."
    return problem(request, Trouble(status=422, code="request_invalid", detail=detail, violations=violations))


def _violation(place: Sequence[str | int], message: str) -> ProblemViolation:
    source, *path = place
    if source == "body":
        return ProblemViolation(pointer="".join(f"/{_escaped(str(step))}" for step in path), message=message)
    name = ".".join(str(step) for step in path)
    return ProblemViolation(pointer="", message=f"{source} parameter {name!r}: {message}")


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")
