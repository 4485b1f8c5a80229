"""What browsers are asked so that they make a passkey or prove one, and what their answers prove (WebAuthn level 3).

It is imported where somebody uses a passkey: what reads their formats is a twentieth of all that the hub loads. Ids,
keys and challenges are texts here, in base64url.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from hub.identity.principals import Principal


class NotProven(Exception):
    """The browser's answer proves nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a browser is asked, as JSON, and the challenge in it."""

    options: str
    challenge: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A passkey that a browser has made: its id, its public key, and how often it says it was used."""

    credential_id: str
    public_key: str
    uses: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenged:
    """A challenge, and the site that asked for an answer to it."""

    challenge: str
    domain: str
    origin: str


def to_enrol(person: Principal, domain: str, known: Iterable[str], *, milliseconds: int) -> Asked:
    """Return what asks a browser to make a passkey for `person`, other than those that are `known`."""
    options = generate_registration_options(
        rp_id=domain,
        rp_name="Tool hub",
        user_id=person.id.encode(),
        user_name=person.name,
        user_display_name=person.display_name,
        timeout=milliseconds,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=_descriptors(known),
    )
    return Asked(options=options_to_json(options), challenge=bytes_to_base64url(options.challenge))


def made(credential: Mapping[str, Any], to: Challenged) -> Made:
    """Return the passkey that an answer brings.

    Raises:
        NotProven: it brings none.
    """
    try:
        found = verify_registration_response(
            credential=dict(credential),
            expected_challenge=base64url_to_bytes(to.challenge),
            expected_rp_id=to.domain,
            expected_origin=to.origin,
            require_user_verification=True,
        )
    except Exception as error:  # what a browser sends is anything: WebAuthn's readers stumble over it in many ways
        raise NotProven from error
    return Made(
        credential_id=bytes_to_base64url(found.credential_id),
        public_key=bytes_to_base64url(found.credential_public_key),
        uses=found.sign_count,
    )


def to_prove(domain: str, known: Iterable[str], *, milliseconds: int) -> Asked:
    """Return what asks a browser to prove one of the passkeys that are `known`."""
    options = generate_authentication_options(
        rp_id=domain,
        timeout=milliseconds,
        allow_credentials=_descriptors(known),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return Asked(options=options_to_json(options), challenge=bytes_to_base64url(options.challenge))


def proven(credential: Mapping[str, Any], to: Challenged, *, public_key: str, uses: int) -> int:
    """Return how often the passkey says that it was used, now that an answer proves it.

    Raises:
        NotProven: it proves nothing, or a copy of the passkey has been used since.
    """
    try:
        found = verify_authentication_response(
            credential=dict(credential),
            expected_challenge=base64url_to_bytes(to.challenge),
            expected_rp_id=to.domain,
            expected_origin=to.origin,
            credential_public_key=base64url_to_bytes(public_key),
            credential_current_sign_count=uses,
            require_user_verification=True,
        )
    except Exception as error:  # see `made`
        raise NotProven from error
    return found.new_sign_count


def _descriptors(known: Iterable[str]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(one)) for one in known]
