"""The budget brake of a stream: it holds one slice of output and tops up a slice ahead.

A stream's price is not known before it ends, so only what may come before the next look is held. A
refused top-up ends the stream where its hold ends, with an error event and without a finish reason.
"""

from gateway_project.errors import BudgetExceeded
from keys_app.limits.estimate import SLICE_TOKENS
from proxy_app.call import Attempt, Call
from proxy_app.wire import Observed
from usage_app import pricing


class Brake:
    """Of one stream under a hard budget. `look` is called as the stream goes on."""

    __slots__ = ("_call", "_covered", "_price", "_refused")

    def __init__(self, call: Call, attempt: Attempt) -> None:
        self._call = call
        self._price = attempt.price
        self._covered = call.covered_tokens
        self._refused = False

    @property
    def is_needed(self) -> bool:
        """Whether a budget binds this call and its output has a price."""
        return bool(self._call.held_nanodollars) and self._price is not None

    def is_due(self, observed: Observed) -> bool:
        """Whether `look` has something to do: the cheap half of it, asked at every chunk."""
        return self._refused or max(observed.output_events, observed.output_chars // 4) * 2 >= self._covered

    async def look(self, observed: Observed) -> None:
        """Hold more before the hold is used up; raises BudgetExceeded when it is and no more is to be had."""
        produced = max(observed.output_events, observed.output_chars // 4)
        if not self._refused and produced * 2 >= self._covered:
            await self._top_up()
        if self._refused and produced >= self._covered:
            raise BudgetExceeded("The budget is used up: the stream was ended where it stood.")

    async def _top_up(self) -> None:
        call = self._call
        assert self._price is not None
        named = call.facts.max_output_tokens
        if named is not None and self._covered >= named * call.facts.candidates:
            return  # everything that may still come is held
        slice_nanodollars = pricing.worst_case(self._price, 0, SLICE_TOKENS)
        if await call.services.limits.top_up(call.id, slice_nanodollars):
            self._covered += SLICE_TOKENS
            call.held_nanodollars += slice_nanodollars
        else:
            self._refused = True
