"""Why a deployment was chosen or left out, in the reader's language. Pure.

The ledger keeps the plan's own sentences (`proxy_app.planning`); one that is not known is shown as it is.
"""

import re
from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext, gettext_noop

#: What a plan says, and what is said of it; names are taken over.
_REASONS = (
    gettext_noop("the only deployment that can be used"),
    gettext_noop("order %(order)s"),
    gettext_noop("weight %(weight)s of %(all)s"),
    gettext_noop("weight 0: only when nothing else is left"),
    gettext_noop("cooling down for %(seconds)s s more after %(cause)s"),
    gettext_noop("its provider does not have this endpoint"),
    gettext_noop("another provider keeps what this call goes on from"),
    gettext_noop("named in the address"),
    gettext_noop("its file lies there"),
    gettext_noop("it has batches of messages"),
    gettext_noop("its provider has no credential"),
    gettext_noop("its provider has a credential that cannot be read with the present secret keys"),
    gettext_noop("its provider has a credential that is not what its kind needs"),
    gettext_noop("its provider needs botocore to sign with AWS access keys: %(remedy)s"),
)
_PATTERNS = tuple(
    (re.compile(re.sub(r"%\\\((\w+)\\\)s", r"(?P<\1>.+)", re.escape(words))), words) for words in _REASONS
)
#: What a deployment cools down after, as `proxy_app.health` says it; else a status or a code.
_CAUSE = gettext_noop("%(count)s failures in a row (%(cause)s)")
_CAUSE_PATTERN = re.compile(r"(?P<count>\d+) failures in a row \((?P<cause>.+)\)")
_STRATEGIES = {
    "weighted": gettext_noop("By weight"),
    "in_order": gettext_noop("In order"),
    "passed on": gettext_noop("passed on"),
    "the provider of its file": gettext_noop("the provider of its file"),
}


def strategy_of(decision: Any) -> str:
    """How the order was made."""
    strategy = str(decision.get("strategy", "")) if isinstance(decision, dict) else ""
    words = _STRATEGIES.get(strategy)
    return gettext(words) if words else strategy


def reason_words(reason: str) -> str:
    """Why a deployment is where it is in the order, or is not in it."""
    for pattern, words in _PATTERNS:
        if found := pattern.fullmatch(reason):
            told = found.groupdict()
            if "cause" in told:
                told["cause"] = cause_words(told["cause"])
            return gettext(words) % told
    return reason


def cause_words(cause: str) -> str:
    """What a deployment cools down after."""
    found = _CAUSE_PATTERN.fullmatch(cause)
    return gettext(_CAUSE) % found.groupdict() if found else cause


def candidates_of(decision: Any, tried: Sequence[tuple[str, str]] = ()) -> list[dict[str, Any]]:
    """The deployments that were considered, in the plan's order, each with its reason in words.

    `tried` has the attempts: the deployment, and what it failed with. Chosen is who answered in the end, and
    not who was to be asked first; before any attempt it is that one.
    """
    candidates = decision.get("candidates", []) if isinstance(decision, dict) else []
    failures = dict(tried)
    answered = next((name for name, failure in reversed(tried) if not failure), None)
    return [
        {
            **each,
            "reason": reason_words(str(each.get("reason", ""))),
            "chosen": each.get("deployment") == answered if tried else each.get("chosen", False),
            "failure": failures.get(each.get("deployment", ""), ""),
        }
        for each in candidates
        if isinstance(each, dict)
    ]
