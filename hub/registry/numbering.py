"""The versions of a federated server's releases: the server gives them none that people could tell them apart by."""

from connectors.sdk.spec import ConnectorSpec


def numbered(spec: ConnectorSpec, newest: ConnectorSpec | None) -> ConnectorSpec:
    """Return `spec` under the version it is registered with after `newest`, its connector's newest release.

    Of a federated server what says the same is the same release, and what says anything else is the next one, unless
    its version is a later one already. Whoever writes a connector numbers its releases.
    """
    if newest is None or spec.rpc != "mcp":
        return spec
    if spec.model_copy(update={"version": newest.version}) == newest:
        return newest
    major, minor, patch = _parts(newest.version)
    if _parts(spec.version) > [major, minor, patch]:
        return spec
    return spec.model_copy(update={"version": f"{major}.{minor}.{patch + 1}"})


def _parts(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]
