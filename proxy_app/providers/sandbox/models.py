"""The sandbox's models: what each is for, and how it behaves. Data only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Fault = Literal["cut", "stall", "stall_midway", "bad_json", "error_midway", "flaky"]

#: How long a stalled answer stays silent, in seconds: longer than any client waits.
STALL_S = 3600.0


@dataclass(frozen=True, slots=True)
class Behaviour:
    """`tokens_per_s` None sends everything at once; `status` answers that error instead."""

    first_token_s: float = 0.0
    tokens_per_s: float | None = None
    waits_when_plain: bool = True
    answer_tokens: int = 110
    reasons: bool = False
    calls_every_tool: bool = False
    fault: Fault | None = None
    status: int | None = None


#: name -> what it is for. The admin, the model list and docs/sandbox.md show these.
SANDBOX_MODELS: dict[str, str] = {
    "sandbox": "A friendly made-up answer that streams at a pace one can watch (80 tokens a second).",
    "sandbox/fast": "The same answer without any delay, for tests and benchmarks.",
    "sandbox/chat": "Natural speed: the first token after 0.4 s, then 60 tokens a second.",
    "sandbox/slow": "4 seconds to the first token, then 8 tokens a second.",
    "sandbox/reasoning": "Thinks first: reasoning_content, and reasoning tokens in the usage.",
    "sandbox/tools": "Calls every tool it is offered, in parallel.",
    "sandbox/long": "A long answer of about 2,000 tokens.",
    "sandbox/flaky": "Fails with 503 for about one prompt in three, always the same ones.",
    "sandbox/cut": "The connection ends in the middle of the answer.",
    "sandbox/stall": "Accepts the request, then stays silent before the first content.",
    "sandbox/stall-midway": "Stays silent in the middle of the answer.",
    "sandbox/bad-json": "Sends something that is not JSON.",
    "sandbox/error-midway": "Reports an error inside the stream, after some content.",
    "sandbox/error-400": "Answers 400: the request is invalid.",
    "sandbox/error-401": "Answers 401: the credential is wrong.",
    "sandbox/error-403": "Answers 403: not permitted.",
    "sandbox/error-404": "Answers 404: no such model.",
    "sandbox/error-408": "Answers 408: the request took too long.",
    "sandbox/error-409": "Answers 409: a conflict.",
    "sandbox/error-422": "Answers 422: the request cannot be processed.",
    "sandbox/error-429": "Answers 429: too many requests, with retry-after: 1.",
    "sandbox/error-500": "Answers 500: an internal error.",
    "sandbox/error-502": "Answers 502: a bad gateway.",
    "sandbox/error-503": "Answers 503: unavailable.",
    "sandbox/error-529": "Answers 529: overloaded.",
}

BEHAVIOURS: Mapping[str, Behaviour] = {
    "sandbox": Behaviour(tokens_per_s=80, waits_when_plain=False),
    "sandbox/fast": Behaviour(),
    "sandbox/chat": Behaviour(first_token_s=0.4, tokens_per_s=60),
    "sandbox/slow": Behaviour(first_token_s=4.0, tokens_per_s=8),
    "sandbox/reasoning": Behaviour(first_token_s=0.2, tokens_per_s=80, waits_when_plain=False, reasons=True),
    "sandbox/tools": Behaviour(tokens_per_s=80, waits_when_plain=False, calls_every_tool=True),
    "sandbox/long": Behaviour(tokens_per_s=120, waits_when_plain=False, answer_tokens=2000),
    "sandbox/flaky": Behaviour(fault="flaky"),
    "sandbox/cut": Behaviour(fault="cut"),
    "sandbox/stall": Behaviour(fault="stall"),
    "sandbox/stall-midway": Behaviour(fault="stall_midway"),
    "sandbox/bad-json": Behaviour(fault="bad_json"),
    "sandbox/error-midway": Behaviour(fault="error_midway"),
    **{
        f"sandbox/error-{status}": Behaviour(status=status)
        for status in (400, 401, 403, 404, 408, 409, 422, 429, 500, 502, 503, 529)
    },
}
