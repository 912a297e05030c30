"""Moderations and rerank: texts in, marks out.

Wire facts: the OpenAI SDK's `types/moderation_create_params.py`; rerank as Cohere (`/v2/rerank`, which tells
`meta.billed_units.search_units`) and Jina (`usage.total_tokens`) have it.
"""

from dataclasses import replace
from typing import Any

import orjson

from gateway_project.errors import InvalidBody
from proxy_app.formats.reading import Fields, as_count, as_object, wrong_type
from proxy_app.operations.contract import Asked, Operation
from proxy_app.operations.facts import bytes_of, likely_tokens, model_of, required_text
from proxy_app.operations.relaying import relay, relayed
from proxy_app.wire import JSON, Address, CallFacts, Outgoing, Target, Usage

DEFAULT_MODERATION = "omni-moderation-latest"  # what OpenAI takes where no model is named
DOCUMENTS_A_SEARCH = 100  # Cohere's unit of billing
MOST_DOCUMENTS = 10_000


def read_moderation(asked: Asked, address: Address) -> CallFacts:
    fields = Fields(asked.body)
    value = fields.get("input")
    if value is None:
        raise InvalidBody("'input' is missing.", param="input")
    if not isinstance(value, str | list) or not value:
        raise wrong_type("input", "a string or an array")
    size = len(orjson.dumps(value))
    named = address.model or fields.maybe_text("model")
    return CallFacts(
        model=named or DEFAULT_MODERATION,
        most=Usage(input_tokens=size, output_tokens=0),
        likely=Usage(input_tokens=likely_tokens(size), output_tokens=0),
    )


def read_rerank(asked: Asked, address: Address) -> CallFacts:
    fields = Fields(asked.body)
    query = bytes_of(required_text(fields, "query"))
    documents = fields.maybe_list("documents")
    if not documents:
        raise InvalidBody("'documents' is missing.", param="documents")
    if len(documents) > MOST_DOCUMENTS:
        raise wrong_type("documents", f"an array of at most {MOST_DOCUMENTS}")
    size = 0
    for position, document in enumerate(documents):
        if not isinstance(document, str | dict):
            raise wrong_type(f"documents[{position}]", "a string or an object")
        size += len(orjson.dumps(document))
    searches = -(-len(documents) // DOCUMENTS_A_SEARCH)
    read = size + query * len(documents)  # some count the query with each document
    return CallFacts(
        model=model_of(fields, address),
        most=Usage(
            input_tokens=read, output_tokens=0, units={"searches": _most_searches(size, len(documents))}
        ),
        likely=Usage(input_tokens=likely_tokens(read), output_tokens=0, units={"searches": searches}),
    )


def _most_searches(size: int, documents: int) -> int:
    """A document longer than some 500 tokens counts as several."""
    return -(-(documents + size // 500) // DOCUMENTS_A_SEARCH)


def _build_rerank(asked: Asked, target: Target) -> Outgoing:
    """Cohere has it at its host, beside the address where it is like OpenAI."""
    own = target.quirks.get("rerank_path")
    outgoing = relayed(own or "/rerank", asked, target)
    outgoing.from_host = own is not None
    return outgoing


def moderation_usage(body: JSON, asked: Asked) -> Usage | None:
    return _tokens_in(body.get("usage"))


def rerank_usage(body: JSON, asked: Asked) -> Usage | None:
    billed = as_object(as_object(body.get("meta")).get("billed_units"))
    usage = _tokens_in(body.get("usage")) or _tokens_in(as_object(body.get("meta")).get("tokens"))
    searches = as_count(billed.get("search_units"))
    if searches is None:
        return usage
    usage = usage or Usage()
    usage.units = {"searches": searches}
    return usage


def _tokens_in(value: Any) -> Usage | None:
    told = as_object(value)
    for name in ("prompt_tokens", "input_tokens", "total_tokens"):
        if (count := as_count(told.get(name))) is not None:
            return Usage(input_tokens=count, output_tokens=0)
    return None


MODERATIONS = Operation(
    name="moderations",
    format="openai_chat",
    read_call=read_moderation,
    routes={"openai_chat": relay("/moderations", moderation_usage)},
)
RERANK = Operation(
    name="rerank",
    format="openai_chat",
    read_call=read_rerank,
    routes={"openai_chat": replace(relay("/rerank", rerank_usage), build=_build_rerank)},
)
