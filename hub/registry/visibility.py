"""Which servers and tools a caller may see; what it may not see does not exist for it."""

from dataclasses import dataclass

from hub.identity.principals import Caller, PrincipalKind
from hub.registry.names import built_in, is_built_in
from hub.registry.values import EVERYTHING, Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What one caller may see: the full names of the servers it is allowed, or None for people, who see them all."""

    allowed: frozenset[str] | None

    def reaches_server(self, server: str) -> bool:
        """Return whether a server exists for the caller; a built-in one shows everybody what it may use."""
        return self.allowed is None or server in self.allowed or is_built_in(server)

    def reaches(self, server: str, also_on: frozenset[str]) -> bool:
        """Return whether a tool on `server` exists for the caller.

        A built-in server also shows what the caller may use on another server (`also_on`).
        """
        if self.allowed is None or server in self.allowed:
            return True
        return is_built_in(server) and not self.allowed.isdisjoint(also_on)


def sight_of(caller: Caller, default: Environment) -> Sight:
    """Return what `caller` may see; `everything` among its servers is the built-in one of `default`."""
    if caller.actor.kind is PrincipalKind.USER:
        return Sight(allowed=None)
    return Sight(allowed=frozenset(server_name(name, default) for name in caller.actor.usable_servers))


def server_name(name: str, default: Environment) -> str:
    """Return the full name of a server: `everything` is the built-in one of the default environment."""
    return built_in(default) if name == EVERYTHING else name
