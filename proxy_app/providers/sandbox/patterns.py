"""Makes a text that matches a regular expression of a JSON schema, for common expressions."""

import re
import string
from random import Random
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as sre_parser  # type: ignore[attr-defined]
from typing import Any

_CATEGORIES = {
    sre.CATEGORY_DIGIT: string.digits,
    sre.CATEGORY_WORD: string.ascii_lowercase + string.digits + "_",
    sre.CATEGORY_SPACE: " ",
    sre.CATEGORY_NOT_DIGIT: string.ascii_lowercase,
    sre.CATEGORY_NOT_WORD: " -",
    sre.CATEGORY_NOT_SPACE: string.ascii_lowercase,
}
_PRINTABLE = string.ascii_lowercase + string.ascii_uppercase + string.digits + " -_.,:;!?@#$%&*()/"
_EXTRA_REPEATS = 3


def matching_text(pattern: str, random: Random) -> str | None:
    """A text that `pattern` finds a match in, or None when the expression is beyond this maker."""
    try:
        made = _sequence(sre_parser.parse(pattern), random)
        return made if re.search(pattern, made) else None
    except (re.error, NotImplementedError, RecursionError):
        return None


def _sequence(nodes: Any, random: Random) -> str:
    return "".join(_node(kind, value, random) for kind, value in nodes)


def _node(kind: Any, value: Any, random: Random) -> str:
    if kind is sre.LITERAL:
        return chr(value)
    if kind is sre.NOT_LITERAL:
        return random.choice([letter for letter in _PRINTABLE if ord(letter) != value])
    if kind is sre.ANY:
        return random.choice(string.ascii_lowercase)
    if kind is sre.IN:
        return random.choice(_members(value))
    if kind in (sre.MAX_REPEAT, sre.MIN_REPEAT):
        least, most, body = value
        times = random.randint(least, min(int(most), max(least, 1) + _EXTRA_REPEATS))
        return "".join(_sequence(body, random) for _ in range(times))
    if kind is sre.BRANCH:
        return _sequence(random.choice(value[1]), random)
    if kind is sre.SUBPATTERN:
        return _sequence(value[-1], random)
    if kind is sre.AT:
        return ""
    raise NotImplementedError(str(kind))


def _members(items: Any) -> str:
    """The letters a `[…]` class offers."""
    negated = bool(items) and items[0][0] is sre.NEGATE
    letters: list[str] = []
    for kind, value in items[1:] if negated else items:
        if kind is sre.LITERAL:
            letters.append(chr(value))
        elif kind is sre.RANGE:
            letters.extend(chr(code) for code in range(value[0], min(value[1], value[0] + 200) + 1))
        elif kind is sre.CATEGORY:
            letters.extend(_CATEGORIES[value])
    if negated:
        return "".join(letter for letter in _PRINTABLE if letter not in letters)
    return "".join(letters)
