"""The people, keys and models of a big ledger, and ends of calls such as they make."""

import random
from typing import Any

import msgspec

SERVICES, PEOPLE, KEYS, MODELS = 40, 200, 300, 12
#: Calls that are made one by one; the others are like these, at other times.
POOL = 21_000
ENDINGS = ("ok",) * 92 + ("error",) * 4 + ("refused",) * 2 + ("cancelled", "interrupted")
ZONE = "Asia/Seoul"


class House:
    """People, keys and models, and the calls that they make up."""

    def __init__(self) -> None:
        from keys_app.models import Membership, Service, User, VirtualKey
        from proxy_app.models import Deployment, Model, Provider
        from usage_app.models import LedgerSettings, Price

        LedgerSettings.objects.update_or_create(pk=1, defaults={"reporting_zone": ZONE})
        User.objects.create(username="root", role=User.Role.ADMIN, is_staff=True, is_superuser=True)
        alice = User.objects.create(username="alice", role=User.Role.MANAGER)
        people = [User.objects.create(username="bob" if n == 0 else f"person-{n}") for n in range(PEOPLE)]
        services = [Service.objects.create(name=f"service-{n}") for n in range(SERVICES)]
        Membership.objects.create(user=alice, service=services[7], role=Membership.Role.MANAGER)
        self.keys = [
            VirtualKey.objects.create(
                name=f"key-{n}",
                service=services[n % SERVICES] if n % 3 else None,
                user=people[n % PEOPLE] if n % 2 == 0 else None,
                environment=("production", "production", "test", "experiment")[n % 4],
                prefix="sk-gh-",
                last_four=f"{n:04d}",
                secret_hash=f"{n:064x}",
            )
            for n in range(KEYS)
        ]
        self._set_budgets()
        kinds = ("openai", "anthropic", "gemini")
        providers = [Provider.objects.create(name=kind, kind=kind) for kind in kinds]
        self._callers = [self._caller(key, number) for number, key in enumerate(self.keys)]
        self._places = []
        for number in range(MODELS):
            model = Model.objects.create(name=f"model-{number}")
            provider = providers[number % len(providers)]
            served = Deployment.objects.create(model=model, provider=provider, upstream_model=model.name)
            self._places.append(self._place(served))
            Price.objects.create(
                provider_kind=provider.kind,
                model=model.name,
                input_nanodollars=10**9,
                output_nanodollars=10**10,
            )
        self._dice = random.Random(1)

    def _set_budgets(self) -> None:
        from keys_app.models import Budget
        from usage_app.models import BudgetSpend

        for number, key in enumerate(self.keys[:100]):
            budget = Budget.objects.create(scope="key", key=key, amount_nanodollars=10**11, period="total")
            BudgetSpend.objects.create(
                budget_id=str(budget.pk), period="total", spent_nanodollars=number * 10**9
            )

    def ends(self, first_ms: int) -> list[Any]:
        """Ends of POOL calls, those of a key side by side."""
        return [self.end(number, first_ms, number * KEYS // POOL) for number in range(POOL)]

    def end(self, number: int, at_ms: int, key: int) -> Any:
        """One call of a key, which calls one of two models."""
        from gateway_project.clock import uuid7_at
        from usage_app.records import AttemptEnded, End, Mark, Tokens

        dice, served = self._dice, (key + number % 2) % MODELS
        status = dice.choice(ENDINGS)
        reached = status != "refused"
        told, out, latency = dice.randrange(50, 4_000), dice.randrange(1, 900), dice.expovariate(4e-4) + 40
        known = reached and dice.random() > 0.003
        figures: dict[str, Any] = {
            "tokens": Tokens(told, told // 3, 0, None, out, 0) if reached else Tokens(),
            "cost_nanodollars": told * 1_000 + out * 10_000 + dice.randrange(10**6) if known else None,
            "http_status": {"ok": 200, "refused": 429}.get(status, 502),
            "status": status,
        }
        place = self._places[served] if reached else dict.fromkeys(self._places[served], "")
        source = "estimate" if status in ("cancelled", "interrupted") else "provider"
        attempt = AttemptEnded(number=1, at_ms=at_ms, duration_ms=latency, **place, **figures)
        return End(
            id=str(uuid7_at(at_ms, dice.getrandbits(74))),
            at_ms=at_ms,
            finished_at_ms=at_ms + round(latency),
            caller=self._callers[key] if key % 20 else self._named_caller(key, number),
            endpoint="chat.completions",
            format="openai_chat",
            stream=number % 3 > 0,
            model=f"model-{served}",
            served_model=f"model-{served}" if reached else "",
            error_code="" if status == "ok" else f"error_{number % 5}",
            usage_source=source if reached else "none",
            ttft_ms=latency / 4 if reached else None,
            latency_ms=latency,
            overhead_ms=1.5,
            marks=[Mark("admitted", 0.4), Mark("first_content", latency / 4), Mark("done", latency)],
            attempts=[attempt] if reached else [],
            **place,
            **figures,
        )

    def _named_caller(self, key: int, number: int) -> Any:
        """A call that says for whom it is."""
        named = {"end_user": f"guest-{number % 700}", "session": f"session-{number // 400}"}
        return msgspec.structs.replace(self._callers[key], **named)

    @staticmethod
    def _place(deployment: Any) -> dict[str, str]:
        return {
            "deployment_id": str(deployment.pk),
            "deployment": str(deployment),
            "provider_id": str(deployment.provider_id),
            "provider": deployment.provider.kind,
            "upstream_model": deployment.upstream_model,
        }

    @staticmethod
    def _caller(row: Any, number: int) -> Any:
        from usage_app.records import Caller

        return Caller(
            key_id=str(row.pk),
            key_name=row.name,
            key_hint=row.hint,
            user_id=str(row.user_id or ""),
            user_name=row.user.username if row.user else "",
            service_id=str(row.service_id or ""),
            service_name=row.service.name if row.service else "",
            environment=row.environment,
            client=f"agent/{number % 9}",
            tags=("batch",) if number % 6 == 0 else (),
        )
