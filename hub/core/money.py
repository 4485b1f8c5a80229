"""Amounts of money: integers of minor units, and how people write them."""

import re
from typing import Final

from hub.core.errors import InputError
from hub.core.texts import shown

_DECIMALS: Final = """
0 BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF
2 AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP
2 CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS
2 KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD
2 PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP
2 TRY TTD TWD TZS UAH USD UYU UZS VES WST XCD YER ZAR ZMW ZWG
3 BHD IQD JOD KWD LYD OMR TND
4 CLF UYW
"""  # ISO 4217: how many decimals, then the currencies that have them


_GROUP: Final = 3
_WRITTEN: Final = re.compile(r"(?P<whole>[0-9]{1,15}|[0-9]{1,3}(?:,[0-9]{3}){1,4})(?:\.(?P<part>[0-9]{1,15}))?")


def _decimals() -> dict[str, int]:
    lines = (line.split() for line in _DECIMALS.strip().splitlines())
    return {currency: int(digits) for digits, *currencies in lines for currency in currencies}


_DIGITS_OF: Final = _decimals()


def minor_digits(currency: str) -> int | None:
    """Return how many decimals `currency` has, or None when it is not a currency we know.  Source: ISO 4217."""
    return _DIGITS_OF.get(currency)


def money(minor: int, currency: str | None) -> str:
    """Return `minor` units of `currency` as people write it: `EUR 1,234.50`.

    An unknown currency is never guessed at: the integer is shown as what it is.
    """
    digits = None if currency is None else minor_digits(currency)
    if digits is None:
        return f"{minor:,} minor units of {currency or 'an unnamed currency'}"
    sign = "\N{MINUS SIGN}" if minor < 0 else ""
    whole, part = divmod(abs(minor), 10**digits)
    figures = f"{whole:,}" if digits == 0 else f"{whole:,}.{part:0{digits}d}"
    return f"{sign}{currency}\N{NO-BREAK SPACE}{figures}"


def how_written(currency: str) -> str:
    """Return in words what `minor_units` understands of this currency: `in EUR, like 1234.50`."""
    digits = minor_digits(currency)
    return f"in whole minor units of {currency}" if digits is None else f"in {currency}, like {_example(digits)}"


def minor_units(written: str, currency: str) -> int:
    """Return the minor units of what somebody wrote: `1,234.50` of EUR are 123450.

    Raises:
        InputError: it is no amount of `currency`; of one whose decimals are not known, whole minor units are written.
    """
    digits = minor_digits(currency)
    said = _WRITTEN.fullmatch(written.strip())
    if digits is None and (said is None or said["part"]):
        unknown = "how many decimals it has is not known here"
        raise InputError(f"Of {shown(currency)}, minor units are written as a whole number: {unknown}.")
    if said is None or len(said["part"] or "") > (digits or 0) or _is_twofold(said, digits):
        raise InputError(f"An amount of {currency} is written like {_example(digits or 0)}.")
    return int(said["whole"].replace(",", "") + (said["part"] or "").ljust(digits or 0, "0"))


def _is_twofold(said: re.Match[str], digits: int | None) -> bool:
    """Return whether one comma may stand for thousands or before decimals: `1,500` where there are three of these."""
    return digits == _GROUP and not said["part"] and said["whole"].count(",") == 1


def _example(digits: int) -> str:
    return f"1234.{'50'.ljust(digits, '0')[:digits]}" if digits else "1234"
