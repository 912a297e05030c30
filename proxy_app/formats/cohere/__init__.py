"""Cohere's own chat, version 2: `/v2/chat`, which tells thoughts, plans and citations."""

from proxy_app.formats.cohere.building import build_request
from proxy_app.formats.cohere.response import parse_answer
from proxy_app.formats.cohere.stream import Parser
from proxy_app.formats.contract import UpstreamFormat
from proxy_app.formats.openai_errors import read_failure

NAME = "cohere"

UPSTREAM = UpstreamFormat(
    name=NAME,
    build_request=build_request,
    parse_answer=parse_answer,
    open_parser=Parser,
    read_failure=read_failure,  # errors are a bare `{"message"}`, which it reads too
    output_limit=("max_tokens",),
)
