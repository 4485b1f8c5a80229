"""Newcomers: agents that nobody registered, what the operator lets them be, and how they say who they are (RFC 7591).

A newcomer is an agent like any other: it has an owner, bounds and versions, and acts for a person who has allowed it.
Only where it comes from differs: a metadata document at its `client_id`, or a registration of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from hub.core.errors import InputError
from hub.identity.assertions import check_keys, json_list, json_object
from hub.identity.clients import MOST_REDIRECTS, ClientAuthentication
from hub.identity.enrolment import MAX_DISPLAY_NAME
from hub.identity.redirects import check_redirect_uri
from hub.identity.scopes import are_scopes

_SECRETS: Final = frozenset({"client_secret_basic", "client_secret_post"})
_SHORTEST_TOKEN: Final = 24
USUAL_UNUSED_DAYS: Final = 30


class Newcomers(BaseModel):
    """What newcomers may be at most: whose they are, what their tokens may hold and where, and how they come in."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    owner: Annotated[str, Field(min_length=1, max_length=64, description="The account name of who answers for them.")]
    scopes: Annotated[frozenset[str], Field(description="What their tokens may hold at most.")]
    servers: Annotated[frozenset[str], Field(description="At which servers.")]
    documents_from: Annotated[
        frozenset[str], Field(description="Hosts whose metadata documents are read; * for every public one.")
    ] = frozenset()
    registration: Annotated[
        Literal["off", "token", "open"], Field(description="Who may register: nobody, who has the token, anybody.")
    ] = "off"
    registration_token: SecretStr | None = None
    unused_days: Annotated[
        int, Field(ge=1, le=3650, description="Days after which those go that nobody has ever used.")
    ] = USUAL_UNUSED_DAYS

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        if not are_scopes(self.scopes):
            raise ValueError("a scope of newcomers is CONNECTOR:read, CONNECTOR:write or tool:NAME")
        token = self.registration_token
        if (self.registration == "token") != (token is not None):
            raise ValueError("registration is `token` where there is a registration_token, and only there")
        if token is not None and len(token.get_secret_value()) < _SHORTEST_TOKEN:
            raise ValueError(f"a registration_token has {_SHORTEST_TOKEN} characters or more")
        return self

    def admits(self, host: str) -> bool:
        """Return whether documents of this host are read."""
        return host in self.documents_from or "*" in self.documents_from


@dataclass(frozen=True, slots=True, kw_only=True)
class Introduction:
    """What a newcomer says of itself, checked; a claim but for where its codes go and how it proves itself."""

    name: str
    redirect_uris: tuple[str, ...]
    authentication: ClientAuthentication
    jwks: Mapping[str, Any] | None
    needs_bound_tokens: bool = False
    """Whether it wants no token that is not bound to a key of its own (RFC 9449 section 5.2)."""


def introduced(said: Mapping[str, Any], *, with_secrets: bool) -> Introduction:
    """Return what client metadata (RFC 7591 section 2) say, as far as the hub uses it; logos and links it never does.

    Raises:
        InputError: something in it will not do.
    """
    uris = [one for one in json_list(said.get("redirect_uris")) if isinstance(one, str)]
    if not 1 <= len(uris) <= MOST_REDIRECTS or len(uris) != len(json_list(said.get("redirect_uris"))):
        raise InputError(f"redirect_uris has to be a list of 1 to {MOST_REDIRECTS} addresses.")
    for uri in uris:
        check_redirect_uri(uri)
    if "authorization_code" not in json_list(said.get("grant_types")) and "grant_types" in said:
        raise InputError("Without the grant type authorization_code there is nothing that it could do here.")
    if "code" not in json_list(said.get("response_types")) and "response_types" in said:
        raise InputError("The only response type is code.")
    authentication = _authentication(said, with_secrets=with_secrets)
    keys = json_object(said.get("jwks")) if authentication is ClientAuthentication.KEY else None
    return Introduction(
        name=_name(said),
        redirect_uris=tuple(dict.fromkeys(uris)),
        authentication=authentication,
        jwks=None if authentication is not ClientAuthentication.KEY else check_keys(keys or {}),
        needs_bound_tokens=_needs_bound_tokens(said),
    )


def _needs_bound_tokens(said: Mapping[str, Any]) -> bool:
    wanted = said.get("dpop_bound_access_tokens", False)
    if not isinstance(wanted, bool):
        raise InputError("dpop_bound_access_tokens is true or false.")
    return wanted


def _authentication(said: Mapping[str, Any], *, with_secrets: bool) -> ClientAuthentication:
    method = said.get("token_endpoint_auth_method", "client_secret_basic" if with_secrets else "none")
    if method == "private_key_jwt":
        return ClientAuthentication.KEY
    if isinstance(method, str) and method in _SECRETS and with_secrets:
        return ClientAuthentication.SECRET
    if method == "none":
        return ClientAuthentication.NONE
    known = sorted({"none", "private_key_jwt", *(_SECRETS if with_secrets else ())})
    raise InputError(f"token_endpoint_auth_method can be {', '.join(known)}.")


def _name(said: Mapping[str, Any]) -> str:
    name = said.get("client_name")
    if not isinstance(name, str) or not name.strip() or len(name) > MAX_DISPLAY_NAME or not name.isprintable():
        raise InputError(f"client_name has to be one line of 1 to {MAX_DISPLAY_NAME} printable characters.")
    return name.strip()
