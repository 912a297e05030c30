"""Why a deployment was chosen or left out, in the reader's language. Pure.

The ledger keeps the plan's own sentences (`proxy_app.planning`); one that is not known is shown as it is.
"""

import re
from typing import Any

from django.utils.translation import gettext, gettext_noop

#: What a plan says, and what is said of it; names are taken over.
_REASONS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        ("the only deployment that can be used", gettext_noop("the only deployment that can be used")),
        (r"order (?P<order>\d+)", gettext_noop("order %(order)s")),
        (r"weight (?P<weight>\d+) of (?P<all>\d+)", gettext_noop("weight %(weight)s of %(all)s")),
        (
            "weight 0: only when nothing else is left",
            gettext_noop("weight 0: only when nothing else is left"),
        ),
        (
            r"cooling down for (?P<seconds>\d+) s more after (?P<cause>.+)",
            gettext_noop("cooling down for %(seconds)s s more after %(cause)s"),
        ),
        (
            "its provider does not have this endpoint",
            gettext_noop("its provider does not have this endpoint"),
        ),
        (
            "another provider keeps what this call goes on from",
            gettext_noop("another provider keeps what this call goes on from"),
        ),
        ("named in the address", gettext_noop("named in the address")),
        ("its file lies there", gettext_noop("its file lies there")),
        ("its provider has no credential", gettext_noop("its provider has no credential")),
        (
            "its provider has a credential that cannot be read with the present secret keys",
            gettext_noop("its provider has a credential that cannot be read with the present secret keys"),
        ),
        (
            "its provider has a credential that is not what its kind needs",
            gettext_noop("its provider has a credential that is not what its kind needs"),
        ),
        (
            "its provider needs botocore to sign with AWS access keys: (?P<remedy>.+)",
            gettext_noop("its provider needs botocore to sign with AWS access keys: %(remedy)s"),
        ),
    )
)
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
    for pattern, words in _REASONS:
        if found := pattern.fullmatch(reason):
            return gettext(words) % found.groupdict()
    return reason


def candidates_of(decision: Any) -> list[dict[str, Any]]:
    """The deployments that were considered, in the plan's order, each with its reason in words."""
    candidates = decision.get("candidates", []) if isinstance(decision, dict) else []
    return [
        {**each, "reason": reason_words(str(each.get("reason", "")))}
        for each in candidates
        if isinstance(each, dict)
    ]
