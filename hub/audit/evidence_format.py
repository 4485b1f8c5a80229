r"""The format of evidence: what the log holds on one invocation, in one file that can be verified without the hub.

    {"checkpoint": NOTE, "count": N, "format": "toolhub-audit-evidence/1", "keys": [KEY, ...],
     "policies": [{"schema": HEX, "text": TEXT}, ...], "subject": ID, "values": "closed" | "open"}
    {"body": {...}, "position": P, "proof": [HASH, ...], "values": ...}
    {"page": HTML}

* The first line is the header, the last one the page, and N lines between them are events as in an export, in the order
  of their positions. The page is made from the lines before it and from nothing else, so that it can be made again.
* The digest that the events call `policy_digest` is the SHA-256 of {"policies": TEXT, "schema": HEX} in canonical JSON;
  HEX is the SHA-256 of the Cedar schema that the text was checked against.
* Besides the events about the invocation there are those that erased their values, and those that announced keys.
"""

from typing import Annotated, Final, Literal

from pydantic import Field, ValidationError

from hub.audit.export_format import Strict, first_problem, read_line
from hub.core.canonical import canonical_json, digest
from hub.core.errors import Malformed

FORMAT: Final = "toolhub-audit-evidence/1"


class Policy(Strict):
    """A policy that decided, and the digest of the schema it was checked against."""

    schema_digest: str = Field(alias="schema", pattern=r"^[0-9a-f]{64}$")
    text: str

    @property
    def digest(self) -> str:
        """The digest by which events name it."""
        return digest({"policies": self.text, "schema": self.schema_digest})


class EvidenceHeader(Strict):
    """The first line of evidence."""

    checkpoint: str
    count: Annotated[int, Field(ge=1)]
    format: Literal["toolhub-audit-evidence/1"] = FORMAT
    keys: tuple[str, ...] = Field(strict=False)
    policies: tuple[Policy, ...] = Field(strict=False)
    subject: str
    values: Literal["closed", "open"]


class PageLine(Strict):
    """The last line of evidence: what the lines before it say, as a page for people."""

    page: str


def evidence_header_line(header: EvidenceHeader) -> bytes:
    """Return the line that says `header`."""
    return canonical_json(header.model_dump(by_alias=True)) + b"\n"


def page_line(page: str) -> bytes:
    """Return the line that holds `page`."""
    return canonical_json({"page": page}) + b"\n"


def read_evidence_header(line: bytes) -> EvidenceHeader:
    """Return the header that `line` says.

    Raises:
        Malformed: it is not the header of evidence, or not written in the canonical way.
    """
    try:
        return EvidenceHeader.model_validate(read_line(line))
    except ValidationError as error:
        raise Malformed(f"This is not the header of evidence: {first_problem(error)}") from error


def read_page(line: bytes) -> str:
    """Return the page that `line` holds.

    Raises:
        Malformed: it holds none, or is not written in the canonical way.
    """
    try:
        return PageLine.model_validate(read_line(line)).page
    except ValidationError as error:
        raise Malformed(f"This is not the page of evidence: {first_problem(error)}") from error


def is_evidence(line: bytes) -> bool:
    """Return whether a file that begins with `line` says that it is evidence, whatever that is worth."""
    return f'"format":"{FORMAT}"'.encode() in line
