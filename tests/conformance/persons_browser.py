"""A person with a browser, as far as the suite needs one: logs in, allows the agent what it asks, and is sent back."""

import re
from urllib.parse import urljoin

import httpx2
from world import PASSWORD

_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
_SCOPE = re.compile(r'name="scope" value="([^"]+)"')


async def allow(authorize: str, person: str) -> None:
    """Allow an agent everything that it asks `person` for, and go where that leads."""
    back = await allowed(authorize, person)
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as browser:
        await browser.get(back)


async def allowed(authorize: str, person: str) -> str:
    """Log `person` in, open the address that an agent leads to, and allow everything on its page of consent.

    Return where that leads: to the agent, with a code.
    """
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as browser:
        login = {"name": person, "password": PASSWORD}
        logged_in = await browser.post(urljoin(authorize, "/api/v1/session"), json=login)
        assert logged_in.is_success, logged_in.text
        asked = await browser.get(authorize)
        page = urljoin(authorize, asked.headers["location"])
        shown = await browser.get(page)
        found = _TOKEN.search(shown.text)
        assert found is not None, shown.text
        form = {"csrf_token": found[1], "scope": _SCOPE.findall(shown.text), "answer": "allow"}
        answer = await browser.post(page, data=form, headers={"Origin": authorize.partition("/oauth")[0]})
        return answer.headers["location"]
