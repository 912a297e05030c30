"""Amazon Bedrock's Converse: `/model/{model}/converse` and `/converse-stream`, for every model there."""

import re

from proxy_app.formats.bedrock_converse.building import build_request
from proxy_app.formats.bedrock_converse.errors import read_failure
from proxy_app.formats.bedrock_converse.response import parse_answer
from proxy_app.formats.bedrock_converse.stream import Parser
from proxy_app.formats.contract import UpstreamFormat

NAME = "bedrock_converse"

UPSTREAM = UpstreamFormat(
    name=NAME,
    build_request=build_request,
    parse_answer=parse_answer,
    open_parser=Parser,
    read_failure=read_failure,
    call_id=re.compile(r"[a-zA-Z0-9_.:-]{1,64}"),
)
