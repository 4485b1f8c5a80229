"""The digests that tell one definition from another: of a connector's part in its tools, a tool, and a proof."""

import hashlib
from typing import Final

from connectors.sdk.spec import ConnectorSpec, OperationSpec
from hub.core.canonical import canonical_json, digest

NOT_BROUGHT: Final = frozenset({"spec_version", "version", "title", "description", "operations"})
"""What a connector does not bring to each of its tools: its own name for itself and its release, and the others.

All the rest it does, whatever is added to the spec: a rule about refusals decides what an answer means.
"""


def release_digest(spec: ConnectorSpec) -> str:
    """Return the digest of a whole release: SHA-256 over the JCS of `spec`.

    It is written member by member and operation by operation, so that a thread that makes it lets others go on.
    """
    made, head = hashlib.sha256(), spec.model_dump(mode="json", exclude={"operations"})
    for number, name in enumerate(sorted([*head, "operations"])):
        made.update((b"," if number else b"{") + canonical_json(name) + b":")
        if name != "operations":
            made.update(canonical_json(head[name]))
            continue
        for at, one in enumerate(spec.operations):
            made.update((b"," if at else b"[") + canonical_json(one.model_dump(mode="json")))
        made.update(b"]" if spec.operations else b"[]")
    made.update(b"}")
    return made.hexdigest()


def passport_digest(spec: ConnectorSpec) -> str:
    """Return the digest of what a connector brings to each of its tools: its code, sign-in, rules, pace."""
    return digest(spec.model_dump(mode="json", exclude={*NOT_BROUGHT}))


def version_digest(operation: OperationSpec, connector_digest: str) -> str:
    """Return the digest of one immutable tool version: SHA-256 over the JCS of operation and connector."""
    return digest({"operation": operation.model_dump(mode="json"), "connector": connector_digest})


def proof_digest(spec: ConnectorSpec, operation: OperationSpec) -> str:
    """Return the digest of all that a badge speaks of: the tool, what undoes it, and the code of both.

    Code alone does not tell two connectors apart whose tools come from a manifest, an API's document, or a server's
    list: there the declaration is the program.
    """
    named = operation.compensation.tool if operation.compensation else operation.name
    undoing = [one.model_dump(mode="json") for one in spec.operations if one.name == named]
    connector = passport_digest(spec)
    return digest({"tool": version_digest(operation, connector), "undone_by": undoing})
