"""External issuers as the operator names them, and how what they say of somebody is read: nothing unless it is named.

An issuer is somebody else's OpenID provider: Entra ID, Okta, Keycloak. A person is known by the issuer and its subject
there, never by a name or an e-mail address, which can be given to somebody else.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from hub.identity.assertions import json_list
from hub.identity.scopes import SCOPE_PATTERN
from hub.outbound.fetching import NotFetched, checked_url

_STRICT: Final = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class TokenRules(BaseModel):
    """What is made of an issuer's access tokens: for which audience, from which clients, with which scopes."""

    model_config = _STRICT

    audience: Annotated[
        str | None, Field(max_length=500, description="What `aud` has to name; default: the server's own URL.")
    ] = None
    client_claim: Literal["client_id", "azp", "appid", "cid"] = "client_id"
    agents: Annotated[Mapping[str, str], Field(description="The issuer's clients, and which agent here each one is.")]
    scope_claim: Literal["scope", "scp", "roles"] = "scope"
    scopes: Annotated[
        Mapping[str, tuple[str, ...]], Field(description="The issuer's scopes, and which of the hub's each one is.")
    ]
    takes_plain_jwt: Annotated[
        bool, Field(description="Take `typ: JWT` too; only for issuers that do not write `at+jwt` (RFC 9068).")
    ] = False

    @field_validator("scopes")
    @classmethod
    def _are_scopes(cls, scopes: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
        wrong = [one for mapped in scopes.values() for one in mapped if not SCOPE_PATTERN.fullmatch(one)]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is no scope: CONNECTOR:read, CONNECTOR:write or tool:NAME")
        return scopes


class Issuer(BaseModel):
    """One external issuer, and what it is trusted with; without `groups`, `admits` and `tokens` that is nothing new."""

    model_config = _STRICT

    name: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9-]{0,30}$", description="In addresses: /login/NAME.")]
    title: Annotated[str, Field(min_length=1, max_length=60, description="On the login page.")]
    issuer: Annotated[str, Field(max_length=500, description="Its issuer identifier, letter by letter.")]
    client_id: Annotated[str, Field(min_length=1, max_length=255)]
    client_secret: SecretStr | None = None
    subject_claim: Literal["sub", "oid"] = "sub"
    groups_claim: Annotated[str, Field(max_length=100)] = "groups"
    groups: Annotated[
        Mapping[str, str],
        Field(description="Its groups, and which of the hub's each one is; others count for nothing."),
    ] = {}
    admits: Annotated[
        Literal["linked", "groups", "everybody"],
        Field(description="Who gets in: those linked before, also members of a group above, or all it knows."),
    ] = "linked"
    fresh_acr: Annotated[
        str | None, Field(max_length=200, description="The `acr` that a login for a critical decision has to have.")
    ] = None
    asserts: Annotated[
        bool, Field(description="Its identity assertions (ID-JAG) let agents act for people, instead of their consent.")
    ] = False
    tokens: Annotated[TokenRules | None, Field(description="Take its access tokens at the MCP servers.")] = None

    @field_validator("issuer")
    @classmethod
    def _can_be_asked(cls, issuer: str) -> str:
        try:
            parts = checked_url(issuer)
        except NotFetched as error:
            raise ValueError("an issuer is an https URL; http on this very machine alone") from error
        if parts.query:
            raise ValueError("an issuer has no query")
        return issuer

    def groups_in(self, claims: Mapping[str, Any]) -> frozenset[str]:
        """Return the groups of the hub that `claims` put somebody into."""
        return frozenset(self.groups[one] for one in words_in(claims.get(self.groups_claim)) if one in self.groups)


def words_in(claim: object) -> list[str]:
    """Return the words of a claim that is a list of them, or a string with a space between each two."""
    if isinstance(claim, str):
        return claim.split()
    return [one for one in json_list(claim) if isinstance(one, str)]
