"""OpenAI's older completions, `/v1/completions`: a text to go on from. Callers speak it; of providers those
whose quirk `completions` says so are relayed to, and every other one is asked as in a conversation."""

from proxy_app.formats.contract import InboundFormat
from proxy_app.formats.openai_completions.answers import Relay, Renderer, observe_answer, render_answer
from proxy_app.formats.openai_completions.request import KNOWN, parse_request, read_call, relay_request
from proxy_app.formats.openai_errors import render_error

NAME = "openai_completions"

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
    output_limit=("max_tokens",),
    words={"messages": "prompt"},
)
