"""Why an answer of OpenAI's formats ended: the words of the published format, and those of servers that speak
it. An end that is none is a failure, and never an answer.

Sources: Mistral's and DeepSeek's API references (`model_length`, `error`; `insufficient_system_resource`,
`aborted`), vLLM and SGLang (`abort`), OpenRouter (`error`, and an `error` beside it), Z.ai
(`model_context_window_exceeded`, `sensitive`, `network_error`), TGI (`eos_token`), Together (`eos`), and
Google's compatible endpoint, which writes its own word behind (`content_filter: PROHIBITED_CONTENT`).
"""

from gateway_project.errors import UpstreamFailed
from proxy_app.formats.failures import Complaint, failure
from proxy_app.formats.openai_errors import read_in_band
from proxy_app.formats.reading import as_text, unlisted
from proxy_app.wire import JSON, Finish

#: finish_reason -> ours. A word that is in neither table counts as a natural end, and is remembered.
FINISHES = {
    "stop": Finish.STOP,
    "eos": Finish.STOP,
    "eos_token": Finish.STOP,
    "stop_sequence": Finish.STOP_SEQUENCE,
    "length": Finish.LENGTH,
    "model_length": Finish.LENGTH,
    "model_context_window_exceeded": Finish.LENGTH,
    "tool_calls": Finish.TOOL_CALLS,
    "function_call": Finish.TOOL_CALLS,
    "content_filter": Finish.CONTENT_FILTER,
    "sensitive": Finish.CONTENT_FILTER,
}
#: finish_reason of an answer that its provider broke off -> the status it would be as an error.
_FAILURES = {
    "error": 502,
    "abort": 502,
    "aborted": 502,
    "network_error": 502,
    "function_call_filter": 502,
    "insufficient_system_resource": 503,
}


def read_finish(word: str) -> tuple[Finish, str | None]:
    """Why a choice ended, and the provider's own word where it is none we know."""
    head = _head(word)
    return FINISHES.get(head, Finish.STOP), unlisted(head, FINISHES)


def failure_of(choice: JSON) -> UpstreamFailed | None:
    """The failure that a choice tells of in place of an end, in the provider's words where it has any."""
    return broken_off(as_text(choice.get("finish_reason")), choice.get("error"))


def broken_off(word: str, error: object = None) -> UpstreamFailed | None:
    """The same of a choice's `finish_reason` and its `error`."""
    if error:
        return read_in_band(error)
    status = _FAILURES.get(_head(word))
    if status is None:
        return None
    return failure(status, Complaint(f"The model broke off its answer ({word[:80]}).", code=_head(word)))


def _head(word: str) -> str:
    return word.partition(":")[0].strip()
