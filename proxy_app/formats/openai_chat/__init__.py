"""Chat Completions, OpenAI's and everybody's: `/v1/chat/completions`."""

import re

from proxy_app.formats.contract import InboundFormat, UpstreamFormat
from proxy_app.formats.openai_chat.building import build_request
from proxy_app.formats.openai_chat.conversation import parse_request
from proxy_app.formats.openai_chat.known import KNOWN
from proxy_app.formats.openai_chat.relay import Relay
from proxy_app.formats.openai_chat.request import read_call, relay_request
from proxy_app.formats.openai_chat.response import observe_answer, parse_answer, render_answer
from proxy_app.formats.openai_chat.stream import Parser, Renderer
from proxy_app.formats.openai_errors import read_failure, render_error

NAME = "openai_chat"

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
    output_limit=("max_completion_tokens",),
)

UPSTREAM = UpstreamFormat(
    name=NAME,
    build_request=build_request,
    parse_answer=parse_answer,
    open_parser=Parser,
    read_failure=read_failure,
    call_id=re.compile(r".{1,40}"),
)
