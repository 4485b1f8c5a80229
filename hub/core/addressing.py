"""Text that speaks to the model which reads it: a small set of patterns in English and Chinese, and hidden characters.

Nobody can tell such text from all other text. The patterns are few and plain, so that ordinary letters, product texts
and orders do not match them; what they find makes people look, and refuses nothing. A text is looked at as a reader
would see it: in one normal form, with invisible characters taken out. Those are themselves a sign when they hide text.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final, cast

Json = Any
"""Any JSON value."""

LONGEST: Final = 20_000
"""Characters looked at of one text."""
_OVERLAP: Final = 1_000
MOST_TEXTS: Final = 5_000
"""Texts looked at of one result."""
HIDDEN: Final = "hidden-characters"

_OF: Final = r"(?:all|any|the|your|my|these|those|previous|prior|earlier|above|preceding|foregoing|of|and|system)"
_ORDERS: Final = r"(?:instructions?|prompts?|directives?|guidelines?|rules|commands)"
PATTERNS: Final[Mapping[str, re.Pattern[str]]] = {
    "ignore-instructions": re.compile(
        rf"\b(?:ignore|disregard|forget|override|bypass)\s+(?:{_OF}\s+)+(?:\w+\s+)?{_ORDERS}\b", re.IGNORECASE
    ),
    "new-role": re.compile(
        r"\b(?:you are (?:now|no longer)|from now on,? you (?:are|will|must)|act as|pretend to be)\s+(?:an?\s+|the\s+)?"
        r"(?:\w+\s+){0,3}(?:ai|assistant|model|agent|chatbot|language model|administrator|admin|root|developer mode)\b",
        re.IGNORECASE,
    ),
    "to-the-assistant": re.compile(
        r"\b(?:note|message|instructions?|attention|important)\s*:?\s*(?:to|for)?\s*:?\s*(?:the\s+|all\s+|any\s+)?"
        r"(?:ai|a\.i\.|llms?|language models?|ai (?:assistants?|agents?|models?)|assistants? reading)\b",
        re.IGNORECASE,
    ),
    "marked-as-a-turn": re.compile(
        r"<\|?(?:im_start|im_end|system|endoftext|start_header_id)\|?>|\[/?INST\]|<</?SYS>>"
        r"|(?:^|\n)\s*#{0,3}\s*(?:system|assistant)\s*(?:prompt|message)?\s*:\s*\S",
        re.IGNORECASE,
    ),
    "marked-as-an-order": re.compile(
        r"<\s*(?:important|critical|urgent|secret|hidden|instructions?)\s*>", re.IGNORECASE
    ),
    "keep-it-from-people": re.compile(
        r"\b(?:do not|don't|never|without)\s+(?:tell(?:ing)?|inform(?:ing)?|mention(?:ing)?(?: this)? to|alert(?:ing)?|"
        r"ask(?:ing)?)\s+(?:the\s+)?(?:user|human|operator|approver)s?\b",
        re.IGNORECASE,
    ),
    "call-a-tool": re.compile(r"\b(?:call|invoke|use|run|execute)\s+the\s+[`'\"]?\w+[`'\"]?\s+tool\b", re.IGNORECASE),
    "zh-ignore-instructions": re.compile(
        r"(?:忽略|无视|無視|忘记|忘記|忘掉|不要理会|不要遵守|绕过)[^。!?\n]{0,12}"
        r"(?:指令|指示|提示词|提示詞|系统提示|系統提示|命令|规则|規則|设定|設定)"
    ),
    "zh-new-role": re.compile(
        r"(?:从现在(?:开始|起)|從現在(?:開始|起)|现在你是|現在你是|你现在是|你現在是|请扮演|請扮演|假装你是)[^。!?\n]{0,16}"
        r"(?:助手|助理|模型|机器人|機器人|智能体|管理员|管理員|AI|人工智能)",
        re.IGNORECASE,
    ),
    "zh-to-the-assistant": re.compile(
        r"(?:致|给|給|告诉|请)(?:所有|任何|各位|正在阅读的?)?\s*(?:AI|人工智能|大?语言模型|大模型|智能助手)",
        re.IGNORECASE,
    ),
    "zh-keep-it-from-people": re.compile(
        r"(?:不要|不得|请勿|别|切勿|無需|无需)(?:告诉|告訴|告知|通知|询问|詢問|提醒)(?:用户|使用者|用戶|人类|人類|审批人|操作员)"
    ),
}
"""What is looked for, by the name that events and pages give it. They are matched where white space stands alone."""

_LATIN: Final = {name: pattern for name, pattern in PATTERNS.items() if not name.startswith("zh-")}

_SPACES: Final = re.compile(r"[^\S\n]+")
_LINE_ENDS: Final = re.compile(r" ?\n[ \n]*")

_TAGS: Final = re.compile(r"[\U000E0001\U000E0020-\U000E007E]+")
_SELECTORS: Final = re.compile(r"[\uFE00-\uFE0F\U000E0100-\U000E01EF]{2,}")
"""One chooses how the character before it looks; several in a row are bytes that nobody sees."""
_FLAG: Final = re.compile(r"\U0001F3F4[\U000E0061-\U000E007A\U000E0030-\U000E0039]{2,6}\U000E007F")
"""The flags of England, Scotland and Wales are written with tags."""
_OVERRIDES: Final = re.compile(r"[\u202D\u202E]")
_INVISIBLE: Final = re.compile(r"[\u200B\u200C\u200D\u2060-\u2064\uFEFF\u00AD\u180E\u2066-\u2069\u202A-\u202E]")
_BINARY: Final = re.compile(r"(?:[\u200B\u2060-\u2064\uFEFF]|[\u200C\u200D](?=[\u200B-\u200D])){6,}")
"""So many invisible characters in a row carry text; joiners alone between letters are how some scripts are written."""


def addressed_in(value: Json) -> tuple[str, ...]:
    """Return the names of what is found in the texts and the names of a result, in their order; nothing: ordinary."""
    found = {name for text in islice(_texts(value), MOST_TEXTS) for name in addressed(text)}
    return tuple(name for name in (*PATTERNS, HIDDEN) if name in found)


def addressed_anywhere(value: Json) -> tuple[str, ...]:
    """Return the same of all that there is to read in `value`, however many texts, and however long they are."""
    found = {name for text in _texts(value) for part in _parts(text) for name in addressed(part)}
    return tuple(name for name in (*PATTERNS, HIDDEN) if name in found)


def _parts(text: str) -> Iterator[str]:
    """Yield `text` in parts that are looked at as a whole; what stands where one ends stands in the next one, too."""
    for start in range(0, max(1, len(text) - _OVERLAP), LONGEST - _OVERLAP):
        yield text[start : start + LONGEST]


def addressed(text: str) -> tuple[str, ...]:
    """Return the names of the patterns that `text` matches."""
    looked_at = text[:LONGEST]
    if looked_at.isascii():  # in one normal form as it is, with nothing that is not seen, and without a Chinese word
        plain = _plain(looked_at)
        return tuple(name for name, pattern in _LATIN.items() if pattern.search(plain))
    plain = _plain(_INVISIBLE.sub("", unicodedata.normalize("NFKC", _untagged(looked_at))))
    found = [name for name, pattern in PATTERNS.items() if pattern.search(plain)]
    return (*found, HIDDEN) if _hides(looked_at) else tuple(found)


def _plain(text: str) -> str:
    """Return `text` with one space or one line end for each run of white space: long runs cost patterns time."""
    return _LINE_ENDS.sub("\n", _SPACES.sub(" ", text))


def _hides(text: str) -> bool:
    without_flags = _FLAG.sub("", text)
    return any(sign.search(without_flags) for sign in (_TAGS, _SELECTORS, _OVERRIDES, _BINARY))


def _untagged(text: str) -> str:
    """Return `text` with what tags spell written out: that is what a model may read and a person does not see."""
    return _TAGS.sub(lambda tags: "".join(chr(ord(one) - 0xE0000) for one in tags.group()), text)


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, member in cast("Mapping[str, Json]", value).items():
            yield name
            yield from _texts(member)
    elif isinstance(value, list | tuple):
        for item in cast("list[Json]", value):
            yield from _texts(item)
