"""Reading who a client says it is, by what it proves it, one method per request (RFC 6749 section 2.3), and its key."""

import base64
from typing import Final
from urllib.parse import unquote_plus

from starlette.requests import Request

from hub.core.errors import InputError, TooMany
from hub.identity.assertions import claimed_client
from hub.identity.client_documents import read_document, stale_client
from hub.identity.clients import ClientProof
from hub.identity.grants import AuthorizationServer
from hub.identity.login_budgets import charges_for_known_documents
from hub.identity.possession import Asked, Place, Proof, proofs_in, read_proof
from hub.oauth.parameters import Parameters, Unreadable, form_of
from hub.storage import now

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


async def asked_by_a_client(server: AuthorizationServer, request: Request) -> tuple[Parameters, ClientProof]:
    """Return what a request to an endpoint for clients asks, and what its client proves itself with.

    Raises:
        Unreadable: parameters in the URL, no form, no method of proof, or more than one.
    """
    if request.url.query:
        raise Unreadable("Send the parameters in the body, none in the URL.")
    parameters = await form_of(request)
    twice = parameters.repeated - {"resource"}  # that one has an error of its own
    if twice:
        raise Unreadable(f"{', '.join(sorted(twice))} may be sent once only.")
    proof = _proof(server, request.headers.get("authorization"), parameters.values)
    await _read_again(server, proof, request.client.host if request.client else None)
    return parameters, proof


async def held_key(server: AuthorizationServer, request: Request) -> Proof | None:
    """Return the proof that the client holds a key, to which its tokens are to be bound, or None: it sent none.

    It is read before the client is looked at: what can be used but once is not used up by a request for a nonce.

    Raises:
        NonceNeeded: the proof has to be made anew, with a nonce of ours.
        ProofRefused: it will not do.
    """
    proofs = proofs_in(request.headers.getlist("dpop"))
    if not proofs:
        return None
    async with server.database.reading() as tx:
        at = await now(tx)
    asked = Asked(method=request.method, url=f"{server.issuer}{request.url.path}", proofs=proofs)
    return read_proof(server.keys, asked, at, Place.AUTHORIZATION)


async def _read_again(server: AuthorizationServer, proof: ClientProof, source: str | None) -> None:
    """Have the keys on record that a client's document names now, if it proves itself by one of them.

    Nobody has proved anything yet: the address that the request came from pays for what is read.

    Raises:
        Unreadable: the document cannot be read, or will not do.
    """
    if server.documents is None or proof.method != "private_key_jwt":
        return
    async with server.database.reading() as tx:
        stale = await stale_client(tx, server.documents, proof.client_id)
    if stale is None or stale.principal_id is None:
        return
    authority = server.authority(stale.principal_id)
    try:
        charges = charges_for_known_documents(source)
        await read_document(server.database, server.documents, stale, charges=charges, authority=authority)
    except (InputError, TooMany) as error:
        raise Unreadable(error.message) from error


def _proof(server: AuthorizationServer, authorization: str | None, form: dict[str, str]) -> ClientProof:
    methods = (authorization is not None, "client_secret" in form, "client_assertion" in form)
    if sum(methods) > 1:
        raise Unreadable("Prove who you are once: by the header, a secret in the body or an assertion.")
    if authorization is not None:
        return _from_header(authorization, form.get("client_id"))
    if "client_assertion" in form:
        return _from_assertion(server, form)
    if "client_id" not in form:
        raise Unreadable("Send client_id, or prove who you are by HTTP Basic or an assertion.")
    if "client_secret" in form:
        return ClientProof(client_id=form["client_id"], method="client_secret_post", secret=form["client_secret"])
    return ClientProof(client_id=form["client_id"], method="none")


def _from_header(authorization: str, named: str | None) -> ClientProof:
    scheme, _, encoded = authorization.partition(" ")
    try:
        client_id, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError as error:
        raise Unreadable("The Authorization header cannot be read.") from error
    if scheme.lower() != "basic" or not colon:
        raise Unreadable("The Authorization header has to be HTTP Basic with client_id and secret.")
    client_id = unquote_plus(client_id)
    if named not in {None, client_id}:
        raise Unreadable("client_id in the body is not the one in the header.")
    return ClientProof(client_id=client_id, method="client_secret_basic", secret=unquote_plus(secret))


def _from_assertion(server: AuthorizationServer, form: dict[str, str]) -> ClientProof:
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise Unreadable(f"client_assertion_type has to be {ASSERTION_TYPE}.")
    client_id = claimed_client(form["client_assertion"])
    if client_id is None:
        raise Unreadable("The client_assertion is no JWT whose subject is a client.")
    if form.get("client_id") not in {None, client_id}:
        raise Unreadable("client_id in the body is not the subject of the assertion.")
    return ClientProof(
        client_id=client_id,
        method="private_key_jwt",
        secret=form["client_assertion"],
        audiences=frozenset({server.issuer, f"{server.issuer}/oauth/token"}),
    )
