"""Gemini: `/v1beta/models/{model}:generateContent`."""

import re

from proxy_app.formats.contract import InboundFormat, UpstreamFormat
from proxy_app.formats.gemini.building import build_request
from proxy_app.formats.gemini.conversation import parse_request
from proxy_app.formats.gemini.errors import read_failure, render_error
from proxy_app.formats.gemini.known import KNOWN
from proxy_app.formats.gemini.relay import Relay
from proxy_app.formats.gemini.rendering import Renderer
from proxy_app.formats.gemini.request import read_call, relay_request
from proxy_app.formats.gemini.response import observe_answer, parse_answer, render_answer
from proxy_app.formats.gemini.stream import Parser

NAME = "gemini"
_CONFIG = {
    "stop": "stopSequences",
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "seed": "seed",
    "frequency_penalty": "frequencyPenalty",
    "presence_penalty": "presencePenalty",
    "logprobs": "responseLogprobs",
    "top_logprobs": "logprobs",
    "n": "candidateCount",
    "reasoning_effort": "thinkingConfig",
    "response_format": "responseJsonSchema",
}
WORDS = {name: f"generationConfig.{word}" for name, word in _CONFIG.items()}
WORDS["tool_choice"] = "toolConfig.functionCallingConfig"
WORDS["service_tier"] = "serviceTier"
WORDS["messages"] = "contents"

INBOUND = InboundFormat(
    name=NAME,
    known=KNOWN,
    keep_alive=b"\n",  # the official SDKs take a comment for broken JSON
    stream_content_type="text/event-stream",
    read_call=read_call,
    parse_request=parse_request,
    relay_request=relay_request,
    observe_answer=observe_answer,
    open_relay=Relay,
    render_answer=render_answer,
    open_renderer=Renderer,
    render_error=render_error,
    output_limit=("generationConfig", "maxOutputTokens"),
    words=WORDS,
)

UPSTREAM = UpstreamFormat(
    name=NAME,
    build_request=build_request,
    parse_answer=parse_answer,
    open_parser=Parser,
    read_failure=read_failure,
    call_id=re.compile(r".+", re.DOTALL),
    tool_name=re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}"),
    any_schema=True,
)
