"""The connectors that packages on this machine offer, and what a name on the command line means."""

from importlib.metadata import entry_points

from connectors.sdk.connector import Connector, load
from connectors.sdk.spec import ConnectorSpec
from hub.cli.console import fail

GROUP = "toolhub.connectors"
"""The entry point group under which packages offer connectors."""


def installed() -> dict[str, str]:
    """Return the code of each installed connector, `module:name`, by its name."""
    return {point.name: point.value for point in entry_points(group=GROUP)}


def loaded(name: str) -> Connector:
    """Return the connector `name`, or end the command saying which there are."""
    entry = installed().get(name, name)
    if ":" not in entry:
        known = ", ".join(sorted(installed())) or "none"
        fail(f"There is no connector {name!r}. Installed: {known}; or give module:name.")
    try:
        return load(entry)
    except (ImportError, AttributeError) as error:
        places = "PYTHONPATH and, as JSON, in TOOLHUB_CONNECTOR_PATHS"
        fail(f"{entry} cannot be loaded: {error}. Install its package, or name its folder in {places}.")


def declared(name: str) -> ConnectorSpec:
    """Return what the connector `name` declares, or end the command saying which there are."""
    return loaded(name).spec
