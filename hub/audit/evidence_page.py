"""The page of evidence: what proven events say of one invocation, for people, made from the file's lines alone."""

import json
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Final

from pydantic import JsonValue

from hub.audit.evidence_format import EvidenceHeader
from hub.audit.export_format import EventLine

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
"""Categories of characters that could hide or turn around what stands beside them."""
_STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b}"
    "h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}dt{font-weight:600}dd{margin:0 0 .5rem}"
    "pre{background:#f4f4f4;padding:.6rem;overflow:auto;white-space:pre-wrap;overflow-wrap:anywhere}"
    "section{border-top:1px solid #ccc}"
)


def page_of(header: EvidenceHeader, events: Sequence[EventLine]) -> str:
    """Return the page: HTML without scripts, links or anything that is loaded."""
    return "\n".join(_lines(header, events)) + "\n"


def _lines(header: EvidenceHeader, events: Sequence[EventLine]) -> Iterator[str]:
    title = f"Evidence on {_seen(header.subject)}"
    yield f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    yield "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    yield f"<style>{_STYLE}</style></head><body><h1>{title}</h1>"
    yield (
        f"<p>{len(events)} events of the audit log, in their order. Each is proven to be in the log that the "
        "checkpoint below signs. That the log holds no others about it, a whole export shows.</p>"
    )
    for event in events:
        yield from _event(event, is_open=header.values == "open")
    yield "<h2>Policies that decided</h2>"
    if not header.policies:
        yield "<p>None of those that decided can be proven by this file.</p>"
    for policy in header.policies:
        yield f"<section><p>Digest {policy.digest}</p><pre>{_seen(policy.text)}</pre></section>"
    yield f"<h2>Checkpoint</h2><pre>{_seen(header.checkpoint)}</pre></body></html>"


def _event(event: EventLine, *, is_open: bool) -> Iterator[str]:
    body = event.body
    yield f"<section><h2>{_text(body, 'kind')}</h2><dl>"
    yield f"<dt>When</dt><dd>{_text(body, 'at')}, number {event.position} of the log</dd>"
    for label, name in (("By", "actor"), ("Agent", "agent"), ("For", "on_behalf_of"), ("About", "subject")):
        if body.get(name) is not None:
            yield f"<dt>{label}</dt><dd>{_text(body, name)}</dd>"
    yield f"</dl><pre>{_json(body.get('facts'))}</pre>"
    if event.commitments():
        yield f"<p>Private: {_private(event, is_open=is_open)}</p>"
    yield "</section>"


def _private(event: EventLine, *, is_open: bool) -> str:
    if not is_open:
        return f"{_seen(', '.join(sorted(event.commitments())))} (not in this file)"
    shown = [
        f"{_seen(name)} (erased)" if opened is None else f"{_seen(name)}</p><pre>{_json(opened.value)}</pre><p>"
        for name, opened in sorted((event.values or {}).items())
    ]
    return " ".join(shown)


def _text(body: Mapping[str, JsonValue], name: str) -> str:
    value = body.get(name)
    return _seen(value) if isinstance(value, str) else _json(value)


def _json(value: JsonValue) -> str:
    return _seen(json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True))


def _seen(text: str) -> str:
    marked = (f"\\u{{{ord(one):x}}}" if one != "\n" and unicodedata.category(one) in _UNSEEN else one for one in text)
    return escape("".join(marked))
