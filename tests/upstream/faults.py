"""The mock's faults, asked for by words in the upstream model's name, e.g. `gpt-fault-429`.

`FAULTS` is the whole list (and `fault-<status>` for any status of `STATUSES`). Words that are no
faults: `slow`, `interval-<ms>`, `split`, `crlf`, `comments`, and the quirks below.
"""

import re
from dataclasses import dataclass, field

from tests.upstream.wire import Frame, Quirks

STATUSES = (400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 529)

FAULTS: dict[str, str] = {
    "quota": "429 for an exhausted quota: not worth a retry.",
    "context": "400: the prompt does not fit the context window.",
    "html": "502 with a page instead of JSON.",
    "redirect": "307 to another address.",
    "connect": "The connection is closed without a byte.",
    "headers": "Silence before the status.",
    "stall-first": "Headers and the opening, then silence before the first content.",
    "stall-mid": "Silence after half of the content.",
    "cut": "A stream ends cleanly without its terminator; a plain body is shorter than announced.",
    "reset": "The connection breaks after half of the content.",
    "inband": "A stream reports an error after half of the content; plain: 500.",
    "inband-first": "A stream reports an error before the first content; plain: 500.",
    "badjson": "An event that is not JSON after half of the content; a plain body that is not JSON.",
    "badjson-first": "An event that is not JSON before the first content.",
    "empty-body": "200 and no body at all.",
}

SLOW_INTERVAL_S = 0.05


@dataclass(frozen=True)
class Manner:
    """Everything a model's name says about how it answers."""

    fault: str | None = None
    status: int | None = None
    interval_s: float | None = None
    split: bool = False
    crlf: bool = False
    comments: bool = False
    quirks: Quirks = field(default_factory=Quirks)


def read_manner(model: str) -> Manner:
    fault = re.search(r"fault-([a-z]+(?:-first|-mid|-body)?|\d{3})", model)
    name = fault.group(1) if fault else None
    interval = re.search(r"interval-(\d+)", model)
    status = int(name) if name and name.isdigit() else None
    if name == "slow":
        name = None
    if status is None and name is not None and name not in FAULTS:
        raise ValueError(f"The mock has no fault {name!r}.")
    return Manner(
        fault=None if status else name,
        status=status,
        interval_s=int(interval.group(1)) / 1000
        if interval
        else SLOW_INTERVAL_S
        if "slow" in model
        else None,
        split="split" in model,
        crlf="crlf" in model,
        comments="comments" in model,
        quirks=Quirks(
            usage_with_choices="usage-with-choices" in model,
            no_done="no-done" in model,
            no_usage="no-usage" in model,
            interleave="interleave" in model,
        ),
    )


def first_content(frames: list[Frame]) -> int:
    return next((at for at, frame in enumerate(frames) if frame.content), len(frames))


def middle_content(frames: list[Frame]) -> int:
    """The position of the content in the middle: at least one stands before it where there are two."""
    contents = [at for at, frame in enumerate(frames) if frame.content]
    return contents[(len(contents) + 1) // 2] if len(contents) > 1 else len(frames)


def on_the_wire(frames: list[Frame], manner: Manner) -> list[bytes]:
    """The frames as the pieces a connection carries them in."""
    raws = [frame.raw for frame in frames]
    if manner.comments:
        raws = [piece for raw in raws for piece in (b": keep-alive\n\n", raw)]
    if manner.crlf:
        raws = [raw.replace(b"\n", b"\r\n") for raw in raws]
    if not manner.split:
        return raws
    sizes = (1, 7, 3, 64, 2, 19)
    joined, pieces, at = b"".join(raws), [], 0
    while at < len(joined):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(joined[at : at + size])
        at += size
    return pieces
