"""Anthropic Messages: `/v1/messages`."""

from proxy_app.formats.anthropic.building import build_request
from proxy_app.formats.anthropic.errors import read_failure
from proxy_app.formats.anthropic.response import parse_answer
from proxy_app.formats.anthropic.stream import Parser
from proxy_app.formats.contract import UpstreamFormat

NAME = "anthropic"

UPSTREAM = UpstreamFormat(
    name=NAME,
    build_request=build_request,
    parse_answer=parse_answer,
    open_parser=Parser,
    read_failure=read_failure,
)
