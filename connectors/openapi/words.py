"""The words by which an operation shows what it does, and what it touches."""

import re
from itertools import pairwise
from typing import Final

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_ONE_IDEA: Final = frozenset({("api", "key"), ("api", "keys"), ("private", "key"), ("access", "key")})


def words_of(text: str) -> list[str]:
    """Return the words in `text`, whatever joins them, in lower case; two that are one idea are also one word."""
    words = [word.lower() for word in _WORD.findall(text)]
    return [*words, *("".join(pair) for pair in pairwise(words) if pair in _ONE_IDEA)]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


READS: Final = _words(
    "get list read fetch find search query lookup retrieve show view describe count check validate preview head "
    "export download status exists calculate estimate compare returns"
)

CREATES: Final = _words("create add new insert register open upload copy clone duplicate post")
UPDATES: Final = _words(
    "update edit set change modify patch put replace rename move assign unassign attach upsert save mark snooze "
    "resolve reopen reassign restore enable tag untag merge link unlink associate"
)

DELETES: Final = _words(
    "delete remove destroy purge erase archive cancel void close clear drop discard terminate deactivate disable "
    "unpublish detach revoke reset wipe gdpr"
)

SENDS: Final = _words(
    "send email mail notify notification message invite share publish submit dispatch broadcast reply forward sms call "
    "remind subscribe"
)

RUNS: Final = _words(
    "run execute start stop trigger invoke process apply approve reject post release launch restart sync import logout "
    "login complete completed confirm activate request indicate join leave kick pay charge refund capture transfer"
)

MONEY: Final = _words(
    "billing payment payments pay payout payouts refund refunds charge charges transfer transfers invoice invoices "
    "bill bills credit credits debit bank payroll salary wallet balance order orders purchase quote price prices tax "
    "journal journals ledger allocation overpayment prepayment subscription subscriptions money funds"
)

PERMISSIONS: Final = _words(
    "permission permissions role roles access grant grants admin admins administrator password passwords token tokens "
    "apikey apikeys accesskey privatekey secret secrets credential credentials oauth sso member members membership "
    "user users group groups policy policies owner ownership license licenses certificate certificates auth "
    "authentication authorization scim"
)

SECRETS: Final = _words(
    "password passwords token tokens apikey apikeys secret secrets credential credentials certificate privatekey"
)

BULK: Final = _words("batch bulk all mass multiple many import truncate purge")
IRREVERSIBLE: Final = _words("purge erase destroy permanently irreversible irreversibly gdpr wipe truncate")
