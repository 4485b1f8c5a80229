"""Scopes in people's words."""

from hub.web.views.entry import ScopeLine


def scope_line(scope: str, *, given_before: bool) -> ScopeLine:
    """Return what `scope` would let an agent do.

    A scope for one tool may read or write: its name alone does not tell, so it is shown as one that may write.
    """
    subject, _, access = scope.partition(":")
    if subject == "tool":
        return ScopeLine(
            scope=scope, meaning=f"Use the tool {access} in your name", is_write=True, given_before=given_before
        )
    if access == "read":
        return ScopeLine(
            scope=scope,
            meaning=f"Read, in your name, whatever the {subject} tools can read",
            is_write=False,
            given_before=given_before,
        )
    return ScopeLine(
        scope=scope,
        meaning=f"Propose changes with the {subject} tools in your name",
        is_write=True,
        given_before=given_before,
    )
