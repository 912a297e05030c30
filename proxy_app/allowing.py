"""Which limits a call met, and how they stood: gathered on its way, told in its record when it ends."""

from typing import Any

from keys_app.limits.allowances import Allowance, granted
from proxy_app.call import Call

#: In one record: a call that meets more keeps those with the least left.
MOST = 12


def told_allowances(call: Call) -> dict[str, Any]:
    """`allowances` of a call's decision: [] where nothing limited it, nothing where nothing was asked.

    A level that was asked again, for a fallback, stays as it stood first; what is held of it may have risen.
    """
    if not call.admissions and not call.refusals:
        return {}
    found: dict[tuple[str, str], Allowance] = {}
    for demand, grant in call.admissions:
        for name, allowance in granted(demand, grant):
            first = found.setdefault(name, allowance)
            if first is not allowance and first.hold is not None and allowance.hold is not None:
                first.hold = max(first.hold, allowance.hold)
    whole = [*found.values(), *call.refusals]
    if len(whole) <= MOST:
        return {"allowances": whole}
    kept = {id(each) for each in sorted(whole, key=_share_left)[:MOST]}
    allowances = [each for each in whole if id(each) in kept]
    return {"allowances": allowances, "allowances_left_out": len(whole) - MOST}


def _share_left(allowance: Allowance) -> float:
    """What refused comes first, then what is the nearest to refusing."""
    if allowance.refused:
        return -2.0
    if not allowance.limit:
        return -1.0
    if allowance.left is not None:
        return allowance.left / allowance.limit
    used = (allowance.spent or 0) + (allowance.held or 0) + (allowance.hold or 0)
    return 1 - used / allowance.limit + (0.0 if allowance.hard else 10.0)
