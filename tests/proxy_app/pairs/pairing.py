"""A caller's format before a provider's: the sixteen ordered pairs, and asking through one of them."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import pytest

from keys_app.entries import BudgetEntry
from proxy_app.health import Health
from tests.proxy_app.harness import PRICE, Answer, Gateway, deployment, model
from tests.proxy_app.pairs.heard import Heard
from tests.proxy_app.pairs.hearing import hear
from tests.proxy_app.pairs.providing import Provider, by_name
from tests.proxy_app.pairs.speaking import FORMATS, question, where
from usage_app.pricing import PriceBook, PriceRow, compile_rates

PAIRS = tuple(product(FORMATS, FORMATS))
every_pair = pytest.mark.parametrize(
    ("inbound", "upstream"), PAIRS, ids=[" to ".join(pair) for pair in PAIRS]
)
plain_and_streamed = pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])

#: Dollars per million tokens: every kind has a price of its own, so that a figure in a wrong place shows.
DOLLARS = {"input": 1, "cache_read": 0.1, "cache_write": 1.25, "output": 4}


async def put_under_budget(gate: Gateway) -> None:
    """A budget of the key's that nothing here uses up, so that a leak of what is held shows."""
    budget = BudgetEntry("b1", "key", "key-1", 10**12, "total", 1, None, "UTC", True)
    gate.keeper.current = replace(gate.keeper.current, budgets={("key", "key-1"): (budget,)})
    await gate.services.limits.load({}, [])


def next_format(format: str) -> str:
    """Another format, so that a second provider is not like the first."""
    return FORMATS[(FORMATS.index(format) + 1) % len(FORMATS)]


@dataclass
class Pair:
    """One gateway whose model `gpt` is served by `alpha`, then by `beta` where there is one."""

    inbound: str
    gate: Gateway
    answers: list[Answer] = field(default_factory=list)

    async def ask(
        self, stream: bool = False, *, headers: dict[str, str] | None = None, how: Any = None, **more: Any
    ) -> Heard:
        body = question(self.inbound, stream, **more)
        sent = {"headers": headers, **(how or {}), **where(self.inbound, stream)}
        self.answers.append(await self.gate.ask(body, **sent))
        return hear(self.inbound, self.answers[-1])

    def forget_failures(self) -> None:
        """What failed before is tried again at once."""
        self.gate.services.health = Health()


def open_pair(
    make_gateway: Callable[..., Gateway], inbound: str, *providers: Provider, **timeouts: float
) -> Pair:
    names = ("alpha", "beta")[: len(providers)]
    served = [
        deployment(name, provider.format, order=place, **timeouts)
        for place, (name, provider) in enumerate(zip(names, providers, strict=True), 1)
    ]
    script = by_name(**dict(zip(names, providers, strict=True)))
    gate = make_gateway(script, model("gpt", *served))
    rates, _ = compile_rates({kind: int(usd * 10**9) for kind, usd in DOLLARS.items()})
    book = PriceBook([PriceRow(price=replace(PRICE, rates=rates))])
    picture = gate.keeper.current
    gate.keeper.current = replace(picture, sections={**picture.sections, "prices": book})
    return Pair(inbound, gate)
