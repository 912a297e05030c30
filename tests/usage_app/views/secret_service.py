"""A service that its strangers must not find a trace of: people, keys, budgets, calls, all of them marked."""

import tempfile
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from gateway_project.clock import now_ms, uuid7_at
from keys_app.models import Budget, Membership, Service, User, VirtualKey
from tests.usage_app.views.agreeing import play
from tests.usage_app.workload import a_refusal, an_end
from usage_app.ledger_upkeep import raise_alert
from usage_app.models import Export, SavedView
from usage_app.records import Caller, Charge, End

#: In every name of what is secret, and in nothing else of the house.
MARK = "orchid"
LAST_FOUR = "q7zx"
COST, AMOUNT = 987_654_321, 7_777_777_777
#: Ids are fixed, so that the same addresses can be asked before there is anything behind them.
SERVICE, KEY, OTHER_KEY, OWNER, BUDGET, EXPORT, VIEW, CALL = (
    UUID(int=uuid7_at(now_ms() - 120_000).int + number) for number in range(8)
)
IDS = tuple(str(each) for each in (SERVICE, KEY, OTHER_KEY, OWNER, BUDGET, EXPORT, VIEW, CALL))
#: How its budget stood when a call of it was admitted.
ALLOWANCE = {
    "kind": "budget",
    "scope": "service",
    "name": f"{MARK}-vault",
    "id": str(BUDGET),
    "per": "month",
    "period": "2026-11",
    "limit": AMOUNT,
    "spent": COST,
    "held": 0,
    "hold": COST,
}
#: What no answer to a stranger may hold: ids only where the address did not name them.
TRACES = (MARK, LAST_FOUR, "0.987654321", "987654321", "2.962962963", "2962962963", "7.777777777", *IDS)


def keep_secret() -> None:
    """The service, its people, keys and budget, its calls, and what people made of them."""
    owner = User.objects.create_user(f"ophelia.{MARK}", id=OWNER, role=User.Role.MANAGER)
    service = Service.objects.create(id=SERVICE, name=f"{MARK}-vault", description=f"{MARK} description")
    Membership.objects.create(user=owner, service=service, role=Membership.Role.MANAGER)
    for number, (key_id, user) in enumerate(((KEY, None), (OTHER_KEY, owner))):
        VirtualKey.objects.create(
            id=key_id,
            name=f"{MARK}-key-{number}",
            service=service,
            user=user,
            environment="test",
            secret_hash=f"{number + 500:064x}",
            prefix="sk-gh-",
            last_four=LAST_FOUR,
        )
    Budget.objects.create(
        id=BUDGET,
        scope="service",
        service=service,
        amount_nanodollars=AMOUNT,
        period="month",
        time_zone="UTC",
    )
    with tempfile.TemporaryDirectory() as folder:
        play(Path(folder), calls(now_ms() - 120_000))
    at = {"since": service.created_at - timedelta(days=1), "until": service.created_at}
    Export.objects.create(
        id=EXPORT, owner=owner, kind="requests", format="csv", query=f"q={MARK}", state="done", **at
    )
    SavedView.objects.create(id=VIEW, owner=owner, name=f"{MARK} view", query=f"q={MARK}")
    raise_alert("budget", f"{MARK}-vault", f"{MARK} is used up")


def calls(at_ms: int) -> list[End]:
    """Calls of the service, one of them under a known id."""
    caller = Caller(
        key_id=str(KEY),
        key_name=f"{MARK}-key-0",
        key_hint=f"sk-gh-…{LAST_FOUR}",
        user_id=str(OWNER),
        user_name=f"ophelia.{MARK}",
        service_id=str(SERVICE),
        service_name=f"{MARK}-vault",
        environment="test",
        end_user=f"{MARK}-person",
        session=f"{MARK}-session",
        client=f"{MARK}-client/1",
        tags=(f"{MARK}-tag",),
    )
    named = {"caller": caller, "model": f"{MARK}-llm", "at_ms": at_ms}
    served = {
        "served_model": f"{MARK}-llm",
        "upstream_model": f"{MARK}-llm",
        "provider": f"{MARK}-cloud",
        "deployment": f"{MARK}-cloud/{MARK}-llm",
        "cost_nanodollars": COST,
        "charges": (Charge(str(BUDGET), "2026-11"),),
        "decision": {"allowances": [ALLOWANCE]},
    }
    ends = [an_end(str(CALL), **named, **served)]
    ends += [an_end(**named, **served, status=status) for status in ("ok", "error")]
    return [*ends, a_refusal(**named, error_detail=f"The budget of {MARK}-vault is used up.", repeated=41)]
