"""What was shown to a system does not come back from it, whatever spelling it chooses."""

import base64
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from sandbox.redaction import Redaction

TOKEN = "abcd+efgh/ijkl=="
PASSWORD = 'päss/word "9\\\U0001f511'
PHRASE = "correct horse battery"
CHINESE = "天地玄黃宇宙洪荒"


def in_json_escapes(text: str) -> str:
    units = text.encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it stands": lambda text: text,
    "each character escaped": in_json_escapes,
    "in upper case": lambda text: in_json_escapes(text).upper().replace("\\U", "\\u"),
    "some characters escaped": lambda text: text.replace("+", "\\u002B").replace("=", "\\u003d").replace('"', '\\"'),
    "one slash escaped": lambda text: json.dumps(text)[1:-1].replace("/", "\\/", 1),
    "JSON within JSON": lambda text: json.dumps(json.dumps(text))[3:-3],
    "escapes within JSON": lambda text: json.dumps(f'"{in_json_escapes(text)}"')[3:-3],
    "in an address": lambda text: quote(text, safe=""),
    "in an address, in lower case": lambda text: quote(text, safe="").replace("%2B", "%2b").replace("%2F", "%2f"),
    "in an address, escaped": lambda text: in_json_escapes(quote(text, safe="")),
    "in a form": quote_plus,
    "in a form, escaped": lambda text: in_json_escapes(quote_plus(text)),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("secret", [TOKEN, PASSWORD, PHRASE, CHINESE], ids=["token", "password", "phrase", "chinese"])
def test_a_secret_is_cut_out_in_every_spelling(secret: str, spelling: str) -> None:
    echo = SPELLINGS[spelling](secret)

    assert Redaction([secret]).of(f"you sent <{echo}> to us") == "you sent <[redacted]> to us"


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_password_is_known_by_the_header_that_it_is_packed_into(spelling: str) -> None:
    packed = base64.b64encode(f"clerk:{PASSWORD}".encode()).decode()
    redaction = Redaction([f"Basic {packed}"])

    for secret in (packed, PASSWORD, f"clerk:{PASSWORD}"):
        assert redaction.of(f"<{SPELLINGS[spelling](secret)}>") == "<[redacted]>"


@pytest.mark.parametrize("char", '"\\/\b\f\n\r\t')
def test_what_json_escapes_by_a_letter_is_known_by_it(char: str) -> None:
    echo = json.dumps({"a": f"front{char}back"}).replace("/", "\\/")

    assert Redaction([f"front{char}back"]).of(echo) == '{"a": "[redacted]"}'


def test_a_secret_of_several_lines_is_cut_out_whole_though_its_last_word_is_one_too() -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----"

    assert Redaction([key]).of(json.dumps({"key": key})) == '{"key": "[redacted]"}'


def test_what_is_left_is_the_same_json() -> None:
    said = {"a": f"\\{TOKEN}\\", "b": "C:\\u002B\\x", "c": [1.10, "100%", "\\/"], TOKEN: None}
    text = json.dumps(said).replace("+", "\\u002b").replace("1.1", "1.10")

    left = Redaction([TOKEN]).of(text)

    assert json.loads(left) == {"a": "\\[redacted]\\", **{name: said[name] for name in "bc"}, "[redacted]": None}
    assert "1.10" in left


@pytest.mark.parametrize(
    "text",
    ["clerks of all lands, in short", "100% \\u0041 \\ \\u", "abcd+efgh/ijkl", "\\u002b", f"{'+' * len(TOKEN)}%"],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Redaction([TOKEN, "short", ""]).of(text) == text


def test_what_is_no_shorter_than_a_secret_may_be_is_one() -> None:
    assert Redaction(["7letter", "8letters"]).of("7letter, 8letters") == "7letter, [redacted]"


def test_what_is_almost_a_long_secret_is_followed_in_one_way() -> None:
    """Each letter that could be read in two ways would double them, and this would never end."""
    almost = TOKEN * 5

    assert Redaction([f"{almost}9"]).of(f"{almost}8%") == f"{almost}8%"


KEY = "s3cr3t-key-0123456789abcdef"
MADE_OF_KEYS = {
    "a cookie": f"session={KEY}",
    "two cookies": f"session={KEY}; csrf=another-value",
    "a parameter": f"Token token={KEY}",
    "a list of parameters": f"Digest key={KEY}, more=yes",
    "two parts": f"hub:{KEY}",
    "a scheme": f"Token {KEY}",
    "packed under a scheme of its own": "Session " + base64.b64encode(f"clerk:7:{KEY}".encode()).decode(),
    "packed for addresses": "Session " + base64.urlsafe_b64encode(f"ÿ~?:{KEY}".encode()).decode().rstrip("="),
    "packed as a parameter": "Token token=" + base64.b64encode(f"clerk:{KEY}".encode()).decode(),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("header", MADE_OF_KEYS.values(), ids=MADE_OF_KEYS)
def test_a_key_is_known_by_the_header_that_it_stands_in(header: str, spelling: str) -> None:
    assert Redaction([header]).of(f"<{SPELLINGS[spelling](KEY)}>") == "<[redacted]>"


def test_what_names_a_key_in_a_header_is_no_secret() -> None:
    packed = base64.b64encode(f"accounting:{KEY}".encode()).decode()
    redaction = Redaction([f"X-Accounting-Token accounting_key={KEY}; other_cookie=yes", f"Session {packed}"])

    assert redaction.of("X-Accounting-Token, accounting_key, other_cookie, accounting") == (
        "X-Accounting-Token, accounting_key, other_cookie, accounting"
    )


def test_a_secret_is_cut_out_whole_and_its_words_are_not() -> None:
    redaction = Redaction([], ["rosebuds of accounting: everything"])

    assert redaction.of("rosebuds of accounting: everything") == "[redacted]"
    assert redaction.of("rosebuds, accounting, everything") == "rosebuds, accounting, everything"


def test_a_header_of_many_parts_is_not_looked_for_in_all_of_them() -> None:
    looked_for = [f"part{number:04}" for number in range(1000)]

    left = Redaction([";".join(f"a={one}" for one in looked_for)]).of(" ".join(looked_for))

    assert "part0001" not in left
    assert "part0900" in left
