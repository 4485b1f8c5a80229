"""A Tryton of our own to talk to: installed beside the hub, seeded with a small company, started on loopback.

For tests and for the demo, never for production. Tryton is GPL-3.0-or-later: it stays in an environment of its own, is
spoken to over HTTP, and is neither imported here nor shipped. Everything in this package blocks; in async code call it
in a thread.
"""

from connectors.tryton_server.installation import Installation, SetupFailed, install
from connectors.tryton_server.person import Person, TrytonSays
from connectors.tryton_server.server import DidNotStart, TrytonServer

__all__ = ["DidNotStart", "Installation", "Person", "SetupFailed", "TrytonSays", "TrytonServer", "install"]
