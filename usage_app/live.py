"""Calls in flight, as this worker knows them, apart from the ledger.

The data plane opens a `LiveCall`, mutates its fields as the call moves on, and closes it. A
publisher sends coalesced deltas to whoever watches; while nobody watches it sends nothing.
"""

from collections import deque
from typing import Literal

import msgspec

Phase = Literal["admitted", "routed", "connecting", "waiting", "streaming", "ended"]


class LiveCall(msgspec.Struct, eq=False):
    """One call in flight. Written by the pipeline without awaiting anything."""

    id: str
    started_at_ms: int
    model: str
    endpoint: str
    stream: bool
    key_id: str
    key_name: str
    key_hint: str
    user_id: str
    user_name: str
    service_id: str
    service_name: str
    environment: str
    client: str = ""
    phase: Phase = "admitted"
    phase_ms: dict[str, float] = msgspec.field(default_factory=dict)  # phase -> offset since arrival, ms
    deployment: str = ""
    provider: str = ""
    attempts: int = 0
    ttft_ms: float | None = None
    output_tokens: int = 0
    cost_nanodollars: int | None = None
    held_nanodollars: int = 0  # reserved from its budgets
    is_heard: bool = False  # its words are kept, and may be read as they come
    status: str = ""  # set when it ended
    error_code: str = ""
    finished_at_ms: int = 0
    sandbox: bool = False

    def enter(self, phase: Phase, offset_ms: float) -> None:
        """Move to a phase, remembering when."""
        self.phase = phase
        self.phase_ms[phase] = offset_ms


class Registry:
    """All calls in flight of one worker, and the last few that ended."""

    def __init__(self, keep_ended: int = 200) -> None:
        self.calls: dict[str, LiveCall] = {}
        self.ended: deque[LiveCall] = deque(maxlen=keep_ended)
        self.started_count = 0
        self.ended_count = 0

    def open(self, call: LiveCall) -> None:
        self.calls[call.id] = call
        self.started_count += 1

    def close(self, call: LiveCall) -> None:
        """The call ended: `status` and the final figures have been set."""
        self.calls.pop(call.id, None)
        call.phase = "ended"
        self.ended.append(call)
        self.ended_count += 1
