"""How the two batch APIs differ: where a batch lies, when it is done, where its result is. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from proxy_app.catalogue import ProviderEntry
from proxy_app.formats import exchange
from proxy_app.wire import JSON, Usage
from usage_app.records import StoredKind

#: The API is dated: a batch is asked for as the SDKs do, whatever its requests are.
ANTHROPIC_HEADERS: Mapping[str, str] = {"anthropic-version": "2023-06-01"}
_DONE = frozenset({"completed", "failed", "expired", "cancelled"})


@dataclass(frozen=True, slots=True)
class BatchKind:
    """`answer_in` finds the answer in a line of the result; None: nothing was made, so nothing is owed."""

    path: str  # at the provider
    quirk: str  # names the percentage of its price that a call in a batch costs there
    format: str  # in which its provider tells of errors
    is_done: Callable[[JSON], bool]
    result_of: Callable[[JSON], str]  # path of the result; '' where there is none
    answer_in: Callable[[JSON], JSON | None]
    usage_of: Callable[[JSON], Usage | None]
    files: tuple[str, ...] = ()  # fields that name the files it leaves
    headers: Mapping[str, str] = field(default_factory=dict)

    def percent_at(self, provider: ProviderEntry) -> int:
        """Of its price, what a call in a batch costs there."""
        percent = provider.quirks.get(self.quirk)
        return percent if isinstance(percent, int) and not isinstance(percent, bool) and percent > 0 else 100

    def path_of(self, batch_id: str, verb: str = "") -> str:
        return f"{self.path}/{quote(batch_id, safe='')}{verb}"


def _openai_result(batch: JSON) -> str:
    output = batch.get("output_file_id")
    return f"/files/{quote(output, safe='')}/content" if isinstance(output, str) and output else ""


def _openai_answer(line: JSON) -> JSON | None:
    response = line.get("response")
    body = response.get("body") if isinstance(response, dict) else None
    if not isinstance(body, dict):
        return None
    return None if body.get("error") and exchange.read_usage(body) is None else body


def _anthropic_result(batch: JSON) -> str:
    batch_id, told = batch.get("id"), batch.get("results_url")
    return f"/v1/messages/batches/{quote(batch_id, safe='')}/results" if batch_id and told else ""


def _anthropic_answer(line: JSON) -> JSON | None:
    """What errored, was cancelled or expired is not billed."""
    result = line.get("result")
    if not isinstance(result, dict) or result.get("type") != "succeeded":
        return None
    message = result.get("message")
    return message if isinstance(message, dict) else {}


KINDS: Mapping[StoredKind, BatchKind] = {
    "batch": BatchKind(
        path="/batches",
        quirk="batches",
        format="openai_responses",
        is_done=lambda batch: batch.get("status") in _DONE,
        result_of=_openai_result,
        answer_in=_openai_answer,
        usage_of=exchange.read_usage,
        files=("output_file_id", "error_file_id"),
    ),
    "message_batch": BatchKind(
        path="/v1/messages/batches",
        quirk="message_batches",
        format="anthropic",
        is_done=lambda batch: batch.get("processing_status") == "ended",
        result_of=_anthropic_result,
        answer_in=_anthropic_answer,
        usage_of=exchange.read_message_usage,
        headers=ANTHROPIC_HEADERS,
    ),
}
