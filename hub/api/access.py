"""Who asks, and whether it may: cookies with a CSRF header, or bearer tokens; what is not permitted is refused."""

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends
from starlette.requests import Request

from hub.core.errors import Forbidden, Unauthenticated
from hub.identity.authority import Authority
from hub.identity.permissions import Permission, demand
from hub.identity.possession import DPOP, Asked, Place, credential_in, new_nonce, proofs_in
from hub.identity.principals import Caller, Principal, PrincipalKind
from hub.identity.resources import API, resource_of
from hub.identity.sessions import WebSession, cookie_name, session_of, touch_session
from hub.invocations.runtime import Runtime

CSRF_HEADER: Final = "X-CSRF-Token"
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
API_PATH: Final = "/api/v1"
NEXT_NONCE: Final = "toolhub.next_nonce"
"""Where in a request's scope the nonce stands that the answer tells, for the next proof of its client."""


def runtime_of(request: Request) -> Runtime:
    """Return the running hub that this API is a door of."""
    runtime = request.app.state.runtime
    if not isinstance(runtime, Runtime):
        raise TypeError("the API was built without a runtime")
    return runtime


RuntimeParameter = Annotated[Runtime, Depends(runtime_of)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    """Who sends a request: the caller, its web session if it has one, and the request's trace id."""

    caller: Caller
    session: WebSession | None
    trace_id: str

    @property
    def principal(self) -> Principal:
        """The principal whose permissions count."""
        return self.caller.actor

    def authority(self, runtime: Runtime) -> Authority:
        """Return the authority under which this caller changes accounts."""
        return Authority(database=runtime.database, keys=runtime.keys, by=self.principal.id, trace_id=self.trace_id)


@dataclass(frozen=True, slots=True)
class Access:
    """A dependency: who may use an endpoint.

    People need `permission` through a role; without one it is any of them. Agents and services have no roles: they get
    in only where `agents_may`, and see what is theirs.
    """

    permission: Permission | None = None
    agents_may: bool = False

    async def __call__(self, request: Request) -> Acting:
        """Return who asks.

        Raises:
            Unauthenticated: nobody that this hub knows.
            Forbidden: somebody who may not do this, or a form of another site.
        """
        runtime = runtime_of(request)
        acting = await _with_token(request, runtime) if _has_token(request) else await _session(request, runtime)
        if acting.principal.kind is not PrincipalKind.USER:
            if not self.agents_may:
                raise Forbidden("This is for people, not for agents.")
        elif self.permission is not None:
            demand(acting.principal, self.permission)
        return acting


PERSON: Final = Access()

Anybody = Annotated[Acting, Depends(Access(agents_may=True))]
"""Any person or agent that has proved who it is; what it sees is its own."""
Person = Annotated[Acting, Depends(PERSON)]
"""Any person; groups and ownership decide the rest, record by record."""
AccountManager = Annotated[Acting, Depends(Access(Permission.MANAGE_ACCOUNTS))]
Member = Annotated[Acting, Depends(Access(Permission.SEE_CATALOG))]
CatalogReader = Annotated[Acting, Depends(Access(Permission.SEE_CATALOG, agents_may=True))]
CatalogPerson = Annotated[Acting, Depends(Access(Permission.SEE_CATALOG))]
PolicyManager = Annotated[Acting, Depends(Access(Permission.MANAGE_POLICY))]
GlassBreaker = Annotated[Acting, Depends(Access(Permission.BREAK_GLASS))]
WaitingReader = Annotated[Acting, Depends(Access(Permission.SEE_WAITING))]
PolicyReader = Annotated[Acting, Depends(Access(Permission.SEE_POLICY))]
Stopper = Annotated[Acting, Depends(Access(Permission.STOP_THINGS))]
DoubtResolver = Annotated[Acting, Depends(Access(Permission.RESOLVE_DOUBTS))]
ErasureAsker = Annotated[Acting, Depends(Access(Permission.ASK_ERASURE))]
ErasureGranter = Annotated[Acting, Depends(Access(Permission.GRANT_ERASURE))]
Auditor = Annotated[Acting, Depends(Access(Permission.SEE_AUDIT))]


def _has_token(request: Request) -> bool:
    return "authorization" in request.headers


async def _with_token(request: Request, runtime: Runtime) -> Acting:
    came, resource = credential_in(request.headers.getlist("authorization")), resource_of(API, runtime.public_url)
    if not came.token:
        raise Unauthenticated("Send an access token as `Authorization: Bearer ...`, or `DPoP ...` with its proof.")
    if came.scheme == DPOP:
        url, proofs = runtime.public_url.rstrip("/") + request.url.path, proofs_in(request.headers.getlist("dpop"))
        asked = Asked(method=request.method, url=url, proofs=proofs)
        caller = await runtime.verifier.verify_held(came.token, asked, resource=resource)
        request.scope[NEXT_NONCE] = new_nonce(runtime.keys, Place.RESOURCE)
    else:
        caller = await runtime.verifier.verify(came.token, resource=resource)
    return Acting(caller=caller, session=None, trace_id=request.scope["trace_id"])


async def _session(request: Request, runtime: Runtime) -> Acting:
    cookie = request.cookies.get(cookie_name(runtime.public_url))
    async with runtime.database.reading() as tx:
        session = await session_of(tx, cookie)
    if session is None:
        raise Unauthenticated(f"Log in first: POST {API_PATH}/session, or send an access token.")
    if request.method not in SAFE_METHODS:
        _check_origin(request, runtime)
        if not session.accepts(request.headers.get(CSRF_HEADER, "")):
            raise Forbidden(f"Send the session's CSRF token in the header {CSRF_HEADER}.")
    if session.needs_touch:
        async with runtime.database.transaction() as tx:
            await touch_session(tx, session.id)
    return Acting(caller=session.caller, session=session, trace_id=request.scope["trace_id"])


def _check_origin(request: Request, runtime: Runtime) -> None:
    origin = request.headers.get("origin")
    if origin is not None and origin != runtime.public_url.rstrip("/"):
        raise Forbidden("This request comes from another site.")
