"""What is told of a stream while it runs: to the live picture, and every few seconds to the journal."""

import time

from proxy_app.call import Call
from proxy_app.formats.contract import StreamPipe
from usage_app import pricing
from usage_app.records import Progress, Tokens

SAMPLE_NS = 250_000_000
PROGRESS_NS = 5_000_000_000


class Sampler:
    """Keeps the live picture and the journal's progress up to date while a stream runs."""

    __slots__ = ("_call", "_progress_ns", "due_ns")

    def __init__(self, call: Call) -> None:
        self._call = call
        now = time.monotonic_ns()
        self.due_ns = now + SAMPLE_NS // 5
        self._progress_ns = now + PROGRESS_NS

    def take_if_due(self, pipe: StreamPipe) -> None:
        now_ns = time.monotonic_ns()
        if now_ns >= self.due_ns:
            self.take(pipe, now_ns)

    def take(self, pipe: StreamPipe, now_ns: int) -> None:
        call = self._call
        observed = pipe.observed
        produced = max(observed.output_events, observed.output_chars // 4)
        self.due_ns = now_ns + SAMPLE_NS
        live = call.live
        if live is not None:
            live.output_tokens = produced
            live.held_nanodollars = call.held_nanodollars
            if call.operation is None and call.attempt is not None and call.attempt.price is not None:
                so_far = Tokens(input_tokens=call.input_estimate, output_tokens=produced)
                live.cost_nanodollars = pricing.cost(call.attempt.price, so_far)
        if now_ns >= self._progress_ns:
            self._progress_ns = now_ns + PROGRESS_NS
            usage = observed.usage
            call.services.write(
                Progress(
                    id=call.id,
                    at_ms=call.arrived_ms + int(call.offset_ms()),
                    output_tokens=produced,
                    input_tokens=usage.input_tokens if usage else None,
                    held_nanodollars=call.held_nanodollars,
                )
            )
