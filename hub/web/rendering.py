"""From a typed view to HTML: the one Jinja environment, and what every page has around it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from hub.core.money import how_written
from hub.web.inert import inert, inert_name
from hub.web.menu import Entry

STATIC: Final = files("hub.web") / "static"


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who looks at the page: shown in the header, with what the menu offers them."""

    display_name: str
    csrf_token: str
    menu: tuple[Entry, ...]
    has_slack: bool = False
    """Whether the hub has an app in Slack, so that accounts there can be linked."""
    sees_waiting: bool = False

    @property
    def first(self) -> Entry:
        """Where this person comes in."""
        return self.menu[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chrome:
    """What stands around a page: title, viewer (None before login), the place in the navigation, a notice."""

    title: str
    viewer: Viewer | None = None
    here: str = ""
    notice: str = ""
    notice_tone: str = "good"


def render(template: str, chrome: Chrome, page: object, **more: object) -> str:
    """Return `template` rendered with its typed view `page`; a name it does not know is an error, never a blank."""
    return _environment().get_template(template).render(chrome=chrome, page=page, **more)


@cache
def static_url(name: str) -> str:
    """Return the address of a static file, with its digest, so that it may be cached for ever."""
    content = (STATIC / name).read_bytes()
    return f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("hub.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shared: Mapping[str, Any] = {
        "static_url": static_url,
        "inert_name": inert_name,
        "inert_text": inert,
        "how_written": how_written,
    }
    environment.globals.update(shared)
    return environment
