"""An OpenID provider of our own on a loopback port: it signs what a test tells it to, and counts who asks it."""

import asyncio
import base64
import hashlib
import json
import secrets
import socket
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import ECKey, Key
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT = "hub-at-issuer"
SECRET = "a secret: with/odd characters"


def new_key(name: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": name, "use": "sig"})


@dataclass
class Issuing:
    """The issuer, and whatever of it a test changes."""

    address: str
    keys: list[Key] = field(default_factory=lambda: [new_key("k1")])
    claims: dict[str, Any] = field(default_factory=dict)
    """What it says of whoever logs in, beside the usual; None leaves a claim out."""
    document: dict[str, Any] = field(default_factory=dict)
    """What its metadata says beside the usual."""
    asked: dict[str, int] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    last: dict[str, str] = field(default_factory=dict)
    """The last request to its authorization endpoint."""

    def sign(self, claims: dict[str, Any], *, key: Key | None = None, **header: Any) -> str:  # noqa: ANN401  # any JSON
        """Return claims signed by the newest key, unless another one is named."""
        signer = key or self.keys[-1]
        said = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode({"alg": "ES256", "kid": signer.kid, **header}, said, signer, algorithms=["ES256"])

    def id_token(self, nonce: str) -> str:
        """Return an ID token for this hub."""
        now = int(time.time())
        usual = {"iss": self.address, "aud": CLIENT, "sub": "s-1", "nonce": nonce, "iat": now, "exp": now + 300}
        return self.sign({**usual, **self.claims}, typ="JWT")

    async def metadata(self, _request: Request) -> Response:
        self._count("metadata")
        usual = {
            "issuer": self.address,
            "authorization_endpoint": f"{self.address}/authorize",
            "token_endpoint": f"{self.address}/token",
            "jwks_uri": f"{self.address}/jwks",
            "authorization_response_iss_parameter_supported": True,
        }
        return JSONResponse({**usual, **self.document})

    async def jwks(self, _request: Request) -> Response:
        self._count("jwks")
        return JSONResponse({"keys": [key.as_dict(private=False) for key in self.keys]})

    async def authorize(self, request: Request) -> Response:
        """Log in whoever comes, at once, and send the browser back."""
        self.last = dict(request.query_params)
        code = secrets.token_urlsafe(8)
        self.codes[code] = self.last
        answer = {"code": code, "state": self.last["state"], "iss": self.address}
        return RedirectResponse(f"{self.last['redirect_uri']}?{urlencode(answer)}", status_code=303)

    async def token(self, request: Request) -> Response:
        """Redeem a code once, for the client that asked, with the verifier that it asked with."""
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        asked = self.codes.pop(form["code"], None)
        digest = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        pair = base64.b64decode(request.headers.get("authorization", "").removeprefix("Basic ")).decode()
        proven = parse_qs(f"id={pair.partition(':')[0]}&secret={pair.partition(':')[2]}")
        if asked is None or asked["code_challenge"] != digest or proven != {"id": [CLIENT], "secret": [SECRET]}:
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        if form["redirect_uri"] != asked["redirect_uri"]:
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        body = {"id_token": self.id_token(asked["nonce"]), "access_token": "opaque", "token_type": "Bearer"}
        return Response(json.dumps(body), media_type="application/json")

    def _count(self, what: str) -> None:
        self.asked[what] = self.asked.get(what, 0) + 1


@asynccontextmanager
async def issuing() -> AsyncGenerator[Issuing]:
    """Serve an issuer in this event loop until the block ends."""
    listening = socket.create_server(("127.0.0.1", 0))
    issuer = Issuing(address=f"http://127.0.0.1:{listening.getsockname()[1]}")
    routes = [
        Route("/.well-known/openid-configuration", issuer.metadata),
        Route("/jwks", issuer.jwks),
        Route("/authorize", issuer.authorize),
        Route("/token", issuer.token, methods=["POST"]),
    ]
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield issuer
    finally:
        server.should_exit = True
        await serving
        listening.close()
