"""The veil over one call: it takes the call's secrets out of whatever its connector answers, before anybody sees it."""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from html import escape
from typing import Any, Final, TypeVar, cast
from urllib.parse import quote, quote_plus

from connectors.sdk.preview import Blast, Change, Preview
from hub.core.canonical import canonical_json
from hub.core.errors import Malformed
from hub.core.redaction import REDACTED
from hub.execution import (
    Asks,
    Conflicted,
    Failed,
    Observed,
    Passage,
    Passed,
    Previewed,
    Ran,
    Succeeded,
    Unknown,
    Violation,
)
from hub.invocations.secrecy import opened, recorded_output, sealed_output
from hub.invocations.values import Invocation
from hub.keys import Keyring
from hub.registry import PublishedTool

Json = Any
"""Any JSON value."""

Outcome = Succeeded | Asks | Passed | Previewed | Observed | Failed | Conflicted | Unknown | Violation
OutcomeT = TypeVar("OutcomeT", bound=Outcome)

_IN_PATHS: Final = "/!$&'()*+,;=:@"
"""What may stand in a path as it is (RFC 3986, section 3.3)."""
_SHORT: Final = 4
"""A shorter secret is looked for as a whole word: its letters stand in too many other words."""
_BEGINNING: Final = 8
"""So many first letters of a longer secret are hidden, too."""
_DIGITS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class _Secrets:
    """What is hidden: values wherever they stand, texts within texts, and whatever is called like a secret."""

    names: frozenset[str]
    values: frozenset[str | int | float]
    texts: tuple[re.Pattern[str], ...]
    long: tuple[str, ...]
    """Those whose beginning alone tells too much: a text may have been cut within one."""


class Veil:
    """Hides the secrets of one call.

    A marker tells its value from others within the call (a changed secret shows as a change), and nothing else.
    """

    def __init__(self, keys: Keyring, invocation_id: str, shown: Json, arguments: Json) -> None:
        """`shown` are the `arguments` with markers for secrets."""
        self._keys, self._invocation_id, self._context = keys, invocation_id, f"veil:{invocation_id}"
        parts = list(_secrets(shown, arguments, ""))
        leaves = frozenset(leaf for _, part in parts for leaf in _leaves(part))
        # a number of a few digits stands in too many other places; it is hidden where it is called like the secret
        values = frozenset(leaf for leaf in leaves if isinstance(leaf, str) or len(str(leaf)) >= _SHORT)
        forms = {form for value in values for form in _forms(str(value))}
        self._secrets = _Secrets(
            names=frozenset(name for name, _ in parts if name),
            values=values,
            texts=tuple(_pattern(form) for form in sorted(forms, key=len, reverse=True)),
            long=tuple(sorted(form for form in forms if len(form) > _BEGINNING)),
        )

    def ran(self, ran: Ran[OutcomeT]) -> Ran[OutcomeT]:
        """Return what came of running connector code, without the secrets; an answer stays whole for `kept`."""
        if not self._hides:
            return ran
        return Ran(outcome=cast("OutcomeT", self._outcome(ran.outcome)), passage=self._passage(ran.passage))

    @property
    def _hides(self) -> bool:
        return bool(self._secrets.values or self._secrets.names)

    def kept(self, tool: PublishedTool, output: Json) -> dict[str, Json]:
        """Return the columns that keep the answer of `tool`: without secrets, and whole for the agent that asked."""
        open_parts = recorded_output(tool, output)
        shown = self.hide(open_parts) if self._hides else open_parts
        whole = None if shown == output else sealed_output(output, self._keys, invocation_id=self._invocation_id)
        return {"output": shown, "sealed_output": whole}

    def text(self, text: str) -> str:
        """Return `text` without the secrets."""
        for pattern in self._secrets.texts:
            text = pattern.sub(REDACTED, text)
        for form in self._secrets.long:
            text = _without_beginnings(text, form)
        return text

    def hide(self, value: Json) -> Json:
        """Return `value` with markers in place of the secrets, and of whatever is called like one of them."""
        if isinstance(value, Mapping):
            members = cast("Mapping[str, Json]", value)
            return {self.text(name): self._member(name, member) for name, member in members.items()}
        if isinstance(value, list | tuple):
            return [self.hide(item) for item in cast("list[Json]", value)]
        if isinstance(value, bool) or value is None:
            return value
        if value in self._secrets.values:
            return self._mark(value)
        return self.text(value) if isinstance(value, str) else value

    def _member(self, name: str, value: Json) -> Json:
        is_open = name not in self._secrets.names or value in (None, REDACTED)
        return self.hide(value) if is_open else self._mark(value)

    def _mark(self, value: Json) -> str:
        try:
            told = self._keys.authenticate(canonical_json(value), context=self._context)
        except Malformed:
            return REDACTED
        return f"{REDACTED[:-1]} {told[:_DIGITS]}]"

    def _outcome(self, outcome: Outcome) -> Outcome:
        match outcome:
            case Succeeded():
                return replace(outcome, findings=tuple(map(self.text, outcome.findings)))
            case Previewed():
                return replace(outcome, preview=self._preview(outcome.preview))
            case Observed():
                records = {self.text(name): self.hide(record) for name, record in outcome.records.items()}
                return replace(outcome, records=records)
            case Passed() | Asks():
                return outcome  # the client gets its questions whole; `hide` is for what goes on record
            case _:
                return replace(outcome, message=self.text(outcome.message))

    def _preview(self, seen: Preview) -> Preview:
        effects = [
            effect.model_copy(update={"kind": self.text(effect.kind), "recipient": self.text(effect.recipient)})
            for effect in seen.side_effects
        ]
        guards = [
            guard.model_copy(update={"target": self.text(guard.target), "token": self.text(guard.token)})
            for guard in seen.preconditions
        ]
        hidden = tuple(map(self._change, seen.changes))
        changed = {
            "changes": hidden,
            "side_effects": tuple(effects),
            "preconditions": tuple(guards),
            "blast": self._blast(seen.blast),
            "not_covered": (*map(self.text, seen.not_covered), *self._hidden_elsewhere(seen.changes, hidden)),
        }
        return seen.model_copy(update=changed)

    def _change(self, change: Change) -> Change:
        hidden = {
            "target": self.text(change.target),
            "before": self.hide(change.before),
            "after": self.hide(change.after),
            "unknown": tuple(map(self.text, change.unknown)),
            "sensitive": tuple(map(self.text, change.sensitive)),
        }
        return change.model_copy(update=hidden)

    def _blast(self, blast: Blast) -> Blast:
        currency = blast.currency and self.text(blast.currency)
        money = None if blast.money_minor in self._secrets.values else blast.money_minor
        return blast.model_copy(update={"money_minor": money, "currency": currency})

    def _hidden_elsewhere(self, seen: tuple[Change, ...], hidden: tuple[Change, ...]) -> Iterator[str]:
        """Yield a sentence for everything hidden that is not called like a secret: who decides must know of it.

        An agent chooses its secrets. It could choose one that stands in the name of what it is about to change.
        """
        for was, now in zip(seen, hidden, strict=True):
            if was.target != now.target:
                yield f"what {now.target} is called in full: a secret that the agent gave stands in its name"
            for name in sorted(self._hidden_fields(was, now)):
                yield f"all of {self.text(name)!r} of {now.target}: a secret that the agent gave stands in it"

    def _hidden_fields(self, was: Change, now: Change) -> set[str]:
        return {
            name
            for whole, rest in ((was.before, now.before), (was.after, now.after))
            for name, value in (whole or {}).items()
            if name not in self._secrets.names and (rest or {}).get(self.text(name)) != value
        }

    def _passage(self, passage: Passage) -> Passage:
        transcript = tuple(
            replace(entry, path=self.text(entry.path), operation=entry.operation and self.text(entry.operation))
            for entry in passage.transcript
        )
        return replace(passage, transcript=transcript)


def veil_of(standing: Invocation, keys: Keyring) -> Veil:
    """Return the veil over `standing`."""
    return Veil(keys, standing.id, standing.arguments, opened(standing, keys))


def _secrets(shown: Json, whole: Json, name: str) -> Iterator[tuple[str, Json]]:
    """Yield what stands in `whole` and not in `shown`, each with the name it has."""
    if isinstance(shown, Mapping) and isinstance(whole, Mapping):
        marked = cast("Mapping[str, Json]", shown)
        for key, member in cast("Mapping[str, Json]", whole).items():
            yield from _secrets(marked.get(key), member, key)
    elif isinstance(shown, list) and isinstance(whole, list):
        for one, other in zip(cast("list[Json]", shown), cast("list[Json]", whole), strict=True):
            yield from _secrets(one, other, name)
    elif shown != whole:
        yield name, whole


def _leaves(value: Json) -> Iterator[str | int | float]:
    """Yield the texts and numbers of a secret; true, false, null and the empty text are nobody's."""
    if isinstance(value, Mapping):
        for member in cast("Mapping[str, Json]", value).values():
            yield from _leaves(member)
    elif isinstance(value, list):
        for item in cast("list[Json]", value):
            yield from _leaves(item)
    elif isinstance(value, str | int | float) and not isinstance(value, bool) and value != "":
        yield value


def _forms(text: str) -> set[str]:
    """Return how `text` may be written within another: as it is, in a URL, in JSON, in HTML, in base64, quoted."""
    escaped = {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1], escape(text)}
    in_urls = {quote(text), quote(text, safe=""), quote(text, safe=_IN_PATHS), quote_plus(text)}
    packed = {base64.b64encode(text.encode()).decode(), base64.urlsafe_b64encode(text.encode()).decode()}
    return {text} | in_urls | escaped | (packed if len(text) >= _SHORT else set())


def _pattern(text: str) -> re.Pattern[str]:
    whole = re.escape(text)
    return re.compile(whole, re.IGNORECASE) if len(text) >= _SHORT else re.compile(rf"(?<!\w){whole}(?!\w)")


def _without_beginnings(text: str, form: str) -> str:
    """Return `text` with a marker wherever it goes on like `form` for more than a few letters."""
    place = text.find(form[:_BEGINNING])
    while place >= 0:
        length = _BEGINNING
        while text[place : place + length + 1] == form[: length + 1] and length < len(form):
            length += 1
        text = text[:place] + REDACTED + text[place + length :]
        place = text.find(form[:_BEGINNING], place + len(REDACTED))
    return text
