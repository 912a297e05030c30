"""Anthropic Messages: `/v1/messages`."""

import re

from proxy_app.formats.anthropic.building import build_request
from proxy_app.formats.anthropic.conversation import parse_request
from proxy_app.formats.anthropic.errors import read_failure, render_error
from proxy_app.formats.anthropic.known import KNOWN
from proxy_app.formats.anthropic.relay import Relay
from proxy_app.formats.anthropic.rendering import Renderer
from proxy_app.formats.anthropic.request import FORWARDED, read_call, relay_request
from proxy_app.formats.anthropic.response import observe_answer, parse_answer, render_answer
from proxy_app.formats.anthropic.stream import Parser
from proxy_app.formats.contract import InboundFormat, UpstreamFormat

NAME = "anthropic"

INBOUND = InboundFormat(
    name=NAME,
    known=KNOWN,
    keep_alive=b'event: ping\ndata: {"type": "ping"}\n\n',
    stream_content_type="text/event-stream; charset=utf-8",
    read_call=read_call,
    parse_request=parse_request,
    relay_request=relay_request,
    observe_answer=observe_answer,
    open_relay=Relay,
    render_answer=render_answer,
    open_renderer=Renderer,
    render_error=render_error,
    forwarded=FORWARDED,
    output_limit=("max_tokens",),
    words={
        "stop": "stop_sequences",
        "reasoning_effort": "thinking",
        "response_format": "output_config.format",
    },
)

UPSTREAM = UpstreamFormat(
    name=NAME,
    build_request=build_request,
    parse_answer=parse_answer,
    open_parser=Parser,
    read_failure=read_failure,
    call_id=re.compile(r"[a-zA-Z0-9_-]+"),
    tool_name=re.compile(r"[a-zA-Z0-9_-]{1,128}"),
)
