"""Where an action of an overlay points: JSONPath (RFC 9535) of a kind that takes no longer than a document is long."""

import re
from typing import Any, Final

from iregexp_check import check
from jsonpath_rfc9535 import JSONPathEnvironment, JSONPathError, JSONPathNodeList
from jsonpath_rfc9535.function_extensions import ExpressionType, FilterFunction

from schemas.bounds import Bounded, TooMuchWork
from schemas.patterns import PatternUnusable, compile_pattern

Json = Any
"""Any JSON value."""

LONGEST: Final = 1000
"""Characters; the library's readers fail at far more in a way that nothing can catch."""
_QUOTED: Final = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")


class BadTarget(ValueError):
    """An expression is none, or could take too long; the message says what to write instead."""


class _Bounded(FilterFunction):
    """`search` or `match`, read in one pass."""

    def __init__(self, form: str) -> None:
        self._form = form

    @property
    def arg_types(self) -> list[ExpressionType]:
        """Two values: the text and the pattern."""
        return [ExpressionType.VALUE, ExpressionType.VALUE]

    @property
    def return_type(self) -> ExpressionType:
        """A truth, as a filter asks for."""
        return ExpressionType.LOGICAL

    def __call__(self, text: object, pattern: object) -> bool:
        """Return whether `text` is meant by `pattern`; what is no pattern means nothing."""
        if not isinstance(text, str) or not isinstance(pattern, str) or not check(pattern):
            return False
        try:
            return compile_pattern(self._form.format(pattern)).is_in(text)
        except PatternUnusable:
            return False


_ENVIRONMENT: Final = JSONPathEnvironment()
_ENVIRONMENT.function_extensions |= {"search": _Bounded("{}"), "match": _Bounded("^(?:{})$")}


def selected(expression: str, document: Json) -> JSONPathNodeList:
    """Return the nodes of `document` that `expression` selects.

    Raises:
        BadTarget: it is no JSONPath, or would walk through the document again for each node.
    """
    if len(expression) > LONGEST:
        raise BadTarget(f"an expression has at most {LONGEST} characters.")
    plain = _QUOTED.sub("''", expression)
    outside, _, inside = plain.partition("?")
    if outside.count("..") > 1 or ".." in inside or "$" in plain[1:]:
        raise BadTarget("it has '..' more than once or within a filter, or '$' within one: say plainly where it is.")
    try:
        with Bounded(document):
            return _ENVIRONMENT.find(expression, document)
    except TooMuchWork as error:
        raise BadTarget("its patterns take too long in this document: write plainer ones.") from error
    except (JSONPathError, RecursionError) as error:
        raise BadTarget(str(error) or "it is nested too deep.") from error
