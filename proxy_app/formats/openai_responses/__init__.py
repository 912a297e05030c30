"""OpenAI Responses: `/v1/responses`."""

import re

from proxy_app.formats.contract import InboundFormat, UpstreamFormat
from proxy_app.formats.openai_errors import read_failure, render_error
from proxy_app.formats.openai_responses.building import build_request
from proxy_app.formats.openai_responses.conversation import parse_request
from proxy_app.formats.openai_responses.known import KNOWN
from proxy_app.formats.openai_responses.parser import Parser
from proxy_app.formats.openai_responses.relay import Relay
from proxy_app.formats.openai_responses.renderer import Renderer
from proxy_app.formats.openai_responses.rendering import render_answer
from proxy_app.formats.openai_responses.request import read_call, relay_request
from proxy_app.formats.openai_responses.response import observe_answer, parse_answer

NAME = "openai_responses"

INBOUND = InboundFormat(
    name=NAME,
    known=KNOWN,
    keep_alive=b": ping\n\n",
    stream_content_type="text/event-stream; charset=utf-8",
    read_call=read_call,
    parse_request=parse_request,
    relay_request=relay_request,
    observe_answer=observe_answer,
    open_relay=Relay,
    render_answer=render_answer,
    open_renderer=Renderer,
    render_error=render_error,
    forwarded=frozenset({"openai-beta"}),
    output_limit=("max_output_tokens",),
    words={
        "messages": "input",
        "reasoning_effort": "reasoning",
        "response_format": "text.format",
        "verbosity": "text.verbosity",
    },
)

UPSTREAM = UpstreamFormat(
    name=NAME,
    build_request=build_request,
    parse_answer=parse_answer,
    open_parser=Parser,
    read_failure=read_failure,
    call_id=re.compile(r".{1,64}"),
)
