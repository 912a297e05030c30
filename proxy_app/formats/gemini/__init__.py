"""Gemini: `/v1beta/models/{model}:generateContent`."""

from proxy_app.formats.contract import UpstreamFormat
from proxy_app.formats.gemini.building import build_request
from proxy_app.formats.gemini.errors import read_failure
from proxy_app.formats.gemini.response import parse_answer
from proxy_app.formats.gemini.stream import Parser

NAME = "gemini"

UPSTREAM = UpstreamFormat(
    name=NAME,
    build_request=build_request,
    parse_answer=parse_answer,
    open_parser=Parser,
    read_failure=read_failure,
)
