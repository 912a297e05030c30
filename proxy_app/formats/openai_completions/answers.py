"""Completions answers, `text_completion` objects: observed while relayed, rendered for a caller.

Whole answers and pieces of a stream have the same shape; a stream ends with `[DONE]`.
"""

from typing import Any

import orjson

from gateway_project.errors import GatehouseError, UpstreamCut, UpstreamFailed, UpstreamInvalid
from proxy_app.formats.contract import RenderOptions
from proxy_app.formats.lenient import load
from proxy_app.formats.openai_endings import failure_of, read_finish
from proxy_app.formats.openai_errors import error_object, read_in_band, words_of
from proxy_app.formats.reading import as_count, as_list, as_object, as_text
from proxy_app.formats.usage_merge import LLAMA_CPP_MARK, merge_usage, of_first_answer, with_next_answer
from proxy_app.formats.whole import take_whole
from proxy_app.sse import Framer, encode, read_block
from proxy_app.wire import (
    JSON,
    Answer,
    CallFacts,
    Finish,
    Finished,
    Observed,
    Refusal,
    RefusalDelta,
    Started,
    StreamEvent,
    Terminated,
    Text,
    TextDelta,
    Usage,
    UsageReported,
)

DONE = b"data: [DONE]\n\n"
_WORDS = {Finish.LENGTH: "length", Finish.CONTENT_FILTER: "content_filter"}


def read_usage(value: Any) -> Usage | None:
    told = as_object(value)
    into, out = as_count(told.get("prompt_tokens")), as_count(told.get("completion_tokens"))
    if into is None and out is None:
        return None
    cached = as_count(as_object(told.get("prompt_tokens_details")).get("cached_tokens"))
    return Usage(input_tokens=into, cache_read_tokens=cached, output_tokens=out)


def _render_usage(usage: Usage) -> JSON:
    into, out = usage.input_tokens or 0, usage.output_tokens or 0
    return {"prompt_tokens": into, "completion_tokens": out, "total_tokens": into + out}


def observe_answer(body: JSON) -> Observed:
    """What a relayed answer tells. Raises UpstreamFailed for an error that came with 200, and where every
    choice was broken off."""
    if body.get("error"):
        raise read_in_band(body["error"])
    choices = [as_object(choice) for choice in as_list(body.get("choices"))]
    if not choices:
        raise UpstreamInvalid("The provider's answer has no choices.")
    failures = [failure_of(choice) for choice in choices]
    whole = [choice for choice, failed in zip(choices, failures, strict=True) if failed is None]
    if not whole and failures[0] is not None:
        raise failures[0]
    finish, word = read_finish(as_text(whole[0].get("finish_reason")))
    return Observed(
        usage=of_first_answer(read_usage(body.get("usage")), body, len(choices)),
        finish=finish,
        finish_word=word,
        content_started=True,
        ended=True,
        output_chars=sum(len(as_text(choice.get("text"))) for choice in choices),
        output_events=len(choices),
        upstream_id=as_text(body.get("id")) or None,
        served_model=as_text(body.get("model")) or None,
    )


def render_answer(answer: Answer, options: RenderOptions) -> JSON:
    """What was said, thoughts aside: this format has no place for them."""
    said = "".join(part.text for part in answer.parts if isinstance(part, Text | Refusal))
    head = _head(options, answer.id, answer.created)
    body = {**head, "choices": [_choice(said, _WORDS.get(answer.finish, "stop"))]}
    return {**body, "usage": _render_usage(answer.usage)} if answer.usage is not None else body


def _head(options: RenderOptions, answer_id: str, created: int) -> JSON:
    return {
        "id": answer_id or options.answer_id,
        "object": "text_completion",
        "created": created or options.created,
        "model": options.model,
    }


def _choice(text: str, finish: str | None = None) -> JSON:
    return {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}


class Renderer:
    """Writes pieces of a `text_completion`, each with the same id, model and time."""

    def __init__(self, options: RenderOptions) -> None:
        self._options = options
        self._head = _head(options, "", 0)
        self._usage: Usage | None = None
        self._finish = Finish.STOP

    def feed(self, event: StreamEvent) -> bytes:
        match event:
            case TextDelta(text) | RefusalDelta(text):
                return self._piece([_choice(text)])
            case Started(answer_id, _, created):
                self._head = _head(self._options, answer_id, created)
            case UsageReported(usage):
                self._usage = merge_usage(self._usage, usage)
            case Finished(finish):
                self._finish = finish
            case Terminated():
                return self._end()
            case _:
                pass
        return b""

    def error(self, error: GatehouseError, request_id: str) -> bytes:
        return encode(orjson.dumps({"error": error_object(error, request_id)}))

    def _piece(self, choices: list[JSON], usage: JSON | None = None) -> bytes:
        body = {**self._head, "choices": choices}
        if self._options.include_usage:
            body["usage"] = usage
        return encode(orjson.dumps(body))

    def _end(self) -> bytes:
        last = self._piece([_choice("", _WORDS.get(self._finish, "stop"))])
        if self._options.include_usage and self._usage is not None:
            last += self._piece([], _render_usage(self._usage))
        return last + DONE


class Relay:
    """One stream of a provider of this format; see `StreamPipe` for the contract. Only the usage that a
    caller did not ask for is taken out."""

    def __init__(self, facts: CallFacts) -> None:
        self.observed = Observed()
        self._framer = Framer()
        self._facts = facts
        self._finished: set[int] = set()
        self._failures: dict[int, UpstreamFailed] = {}  # of the choices that were broken off

    def feed(self, chunk: bytes) -> bytes:
        return b"".join([self._pass(block) for block in self._framer.feed(chunk)])

    def finish(self) -> bytes:
        rest = self._framer.take_rest()
        sent = self._pass_rest(rest) if rest and not self.observed.ended else b""
        if self.observed.ended:
            return sent
        if len(self._finished) < self._facts.candidates:
            raise UpstreamCut
        self._refuse_broken()
        self.observed.ended = True
        return sent + DONE

    def error(self, error: GatehouseError, request_id: str) -> bytes:
        return encode(orjson.dumps({"error": error_object(error, request_id)}))

    def _pass(self, block: bytes) -> bytes:
        block = block.strip(b"\n")
        if not block or self.observed.ended:
            return b""
        event = read_block(block)
        if event is None:
            return self._pass_whole(block) if block.startswith(b"{") else block + b"\n\n"
        if event.data.strip() == b"[DONE]":
            if not self._finished:
                raise UpstreamCut  # a provider's end that gives no reason is none
            self._refuse_broken()
            self.observed.ended = True
            return DONE
        try:
            body = as_object(load(event.data))
        except orjson.JSONDecodeError as error:
            raise UpstreamInvalid("The provider sent a stream event that is not JSON.") from error
        if body.get("error") or event.event == "error":
            raise read_in_band(body.get("error") or body)
        return self._read(block, body)

    def _note_finish(self, choice: JSON) -> None:
        index, word = as_count(choice.get("index")) or 0, as_text(choice.get("finish_reason"))
        if (failed := failure_of(choice)) is not None:
            self._failures[index] = failed
            self._finished.add(index)
        elif word:
            self._finished.add(index)
            self.observed.finish, self.observed.finish_word = read_finish(word)
            self.observed.content_started = True

    def _refuse_broken(self) -> None:
        if self._failures and len(self._failures) >= max(self._facts.candidates, len(self._finished)):
            raise next(iter(self._failures.values()))

    def _pass_whole(self, raw: bytes) -> bytes:
        """A whole answer in place of the stream, as its one piece; what is none as it came."""
        body = take_whole(raw, self.observed, observe_answer)
        if body is None:
            return raw + b"\n\n"
        said = {name: value for name, value in body.items() if name != "usage"}
        pieces = [said]
        if self._facts.wants_usage and body.get("usage"):
            pieces.append(said | {"choices": [], "usage": body["usage"]})
        return b"".join([encode(orjson.dumps(piece)) for piece in pieces]) + DONE

    def _pass_rest(self, rest: bytes) -> bytes:
        """What came after the last blank line: whole, or the sign of a cut."""
        if rest.lstrip().startswith(b"{"):
            sent = self._pass_whole(rest)
            if self.observed.ended:
                return sent
            raise read_in_band(*words_of(rest))
        try:
            return self._pass(rest) if read_block(rest) is not None else b""
        except UpstreamInvalid as invalid:
            raise UpstreamCut from invalid

    def _read(self, block: bytes, body: JSON) -> bytes:
        observed = self.observed
        choices = [as_object(choice) for choice in as_list(body.get("choices"))]
        for choice in choices:
            if text := as_text(choice.get("text")):
                observed.output_chars += len(text)
                observed.output_events += 1
                observed.content_started = True
            self._note_finish(choice)
        observed.upstream_id = observed.upstream_id or as_text(body.get("id")) or None
        observed.served_model = observed.served_model or as_text(body.get("model")) or None
        if not body.get("usage"):
            return block + b"\n\n"
        usage = read_usage(body["usage"])
        if self._facts.candidates > 1 and LLAMA_CPP_MARK in body:
            usage = with_next_answer(observed.usage, usage)
        observed.usage = usage or observed.usage
        if self._facts.wants_usage:
            return block + b"\n\n"
        if not choices:
            return b""
        return encode(orjson.dumps({name: value for name, value in body.items() if name != "usage"}))
