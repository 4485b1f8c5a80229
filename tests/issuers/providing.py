"""Owns a running `oidc-provider`, a certified OpenID provider: its packages from npm, its process, people in it."""

import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin

import httpx2
from joserfc.jwk import ECKey
from locked_packages import NODE, installed

SOURCE: Final = Path(__file__).parent / "provider"
_SECONDS_TO_START: Final = 120


def install(home: Path) -> Path:
    """Return the folder of the provider with what it needs, from its lock file; made once and kept."""
    folder = installed(SOURCE, home, "oidc-provider")
    shutil.copyfile(SOURCE / "server.mjs", folder / "server.mjs")
    return folder


def free_port() -> int:
    """Return a port on which nobody listens now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


def new_key(name: str) -> dict[str, Any]:
    """Return a private key for the provider to sign with."""
    return {**ECKey.generate_key("P-256", {"kid": name, "use": "sig", "alg": "ES256"}).as_dict(private=True)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """The running provider."""

    issuer: str

    def authorize(self, url: str, name: str) -> str:
        """Log in as `name`, agree to what is asked, and return where the browser is sent back to."""
        with httpx2.Client(timeout=60) as browser:
            answer = browser.get(url)
            for _ in range(12):
                if answer.is_redirect:
                    target = urljoin(str(answer.request.url), answer.headers["location"])
                    if not target.startswith(self.issuer):
                        return target
                    answer = browser.get(target)
                    continue
                assert answer.status_code == 200, answer.text
                answer = browser.post(_action(answer), data={**_fields(answer.text), "login": name, "password": "any"})
        raise AssertionError("the provider does not come to an end")


def _action(page: httpx2.Response) -> str:
    (action,) = re.findall(r'<form[^>]*action="([^"]+)"', page.text)
    return urljoin(str(page.request.url), action)


def _fields(html: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', html))


@contextmanager
def running(folder: Path, port: int, clients: list[dict[str, Any]], keys: list[dict[str, Any]]) -> Generator[Provider]:
    """Yield the provider on a port of this machine, and end it."""
    issuer = f"http://127.0.0.1:{port}"
    told = {"ISSUER": issuer, "PORT": str(port), "CLIENTS": json.dumps(clients), "KEYS": json.dumps(keys)}
    log_file = folder / f"log-{port}.txt"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [str(NODE), "server.mjs"],
            cwd=folder,
            env={**os.environ, **told},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        _wait_for_an_answer(process, issuer, log_file)
        yield Provider(issuer=issuer)
    finally:
        process.terminate()
        process.wait()
        log_file.unlink()


def _wait_for_an_answer(process: subprocess.Popen[bytes], issuer: str, log_file: Path) -> None:
    until = time.monotonic() + _SECONDS_TO_START
    with httpx2.Client(timeout=10) as client:
        while time.monotonic() < until:
            assert process.poll() is None, log_file.read_text()
            try:
                client.get(f"{issuer}/.well-known/openid-configuration").raise_for_status()
            except httpx2.HTTPError:
                time.sleep(0.1)
            else:
                return
    raise AssertionError(log_file.read_text())
