"""A call like one of the ledger's, as curl and as Python. Data for each endpoint; the tests run them all.

Bodies are not in the ledger, so their words are left out: what an endpoint demands besides the model
stands here. Where nothing honest can be written there is nothing.
"""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from usage_app.models import Request

WORDS = "…"
_TURN = [{"role": "user", "content": WORDS}]
_CONTENTS = {"contents": [{"parts": [{"text": WORDS}]}]}

#: SDK -> the lines that make its client.
_CLIENTS = {
    "openai": """\
from openai import OpenAI

client = OpenAI(base_url={v1}, api_key=os.environ["GATEHOUSE_API_KEY"])
""",
    "anthropic": """\
from anthropic import Anthropic

client = Anthropic(base_url={root}, api_key=os.environ["GATEHOUSE_API_KEY"])
""",
    "genai": """\
from google import genai

client = genai.Client(api_key=os.environ["GATEHOUSE_API_KEY"], http_options={{"base_url": {root}}})
""",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """One endpoint: where it is, what it demands beside the model, and the SDK's method for it.

    `files` are fields of a form (name -> file). `arguments` are the method's where they are not the
    body's. `sound` is a file that takes the answer.
    """

    path: str
    body: Mapping[str, Any]
    sdk: str = ""
    method: str = ""
    streams: bool = False
    arguments: Mapping[str, Any] | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    sound: str = ""
    streamed: tuple[str, str] | None = None  # (path, method) of a stream, where these are its own


#: endpoint -> its shape; "endpoint/format" where the format makes another.
SHAPES: Mapping[str, Shape] = {
    "chat.completions": Shape(
        "/v1/chat/completions", {"messages": _TURN}, "openai", "chat.completions.create", streams=True
    ),
    "responses": Shape("/v1/responses", {"input": WORDS}, "openai", "responses.create", streams=True),
    "responses.input_tokens": Shape(
        "/v1/responses/input_tokens", {"input": WORDS}, "openai", "responses.input_tokens.count"
    ),
    "messages": Shape(
        "/v1/messages",
        {"max_tokens": 1024, "messages": _TURN},
        "anthropic",
        "messages.create",
        streams=True,
    ),
    "messages.count_tokens": Shape(
        "/v1/messages/count_tokens", {"messages": _TURN}, "anthropic", "messages.count_tokens"
    ),
    "generate_content": Shape(
        "/v1beta/models/{model}:generateContent",
        _CONTENTS,
        "genai",
        "models.generate_content",
        arguments={"contents": WORDS},
        streamed=("/v1beta/models/{model}:streamGenerateContent?alt=sse", "models.generate_content_stream"),
    ),
    "count_tokens": Shape(
        "/v1beta/models/{model}:countTokens",
        _CONTENTS,
        "genai",
        "models.count_tokens",
        arguments={"contents": WORDS},
    ),
    "completions": Shape("/v1/completions", {"prompt": WORDS}, "openai", "completions.create", streams=True),
    "embeddings": Shape("/v1/embeddings", {"input": WORDS}, "openai", "embeddings.create"),
    "embeddings/gemini": Shape(
        "/v1beta/models/{model}:embedContent",
        {"content": {"parts": [{"text": WORDS}]}},
        "genai",
        "models.embed_content",
        arguments={"contents": WORDS},
    ),
    "images.generations": Shape(
        "/v1/images/generations", {"prompt": WORDS}, "openai", "images.generate", streams=True
    ),
    "images.edits": Shape(
        "/v1/images/edits",
        {"prompt": WORDS},
        "openai",
        "images.edit",
        streams=True,
        files={"image": "picture.png"},
    ),
    "audio.speech": Shape(
        "/v1/audio/speech",
        {"voice": "alloy", "input": WORDS},
        "openai",
        "audio.speech.create",
        sound="speech.mp3",
    ),
    "audio.transcriptions": Shape(
        "/v1/audio/transcriptions",
        {},
        "openai",
        "audio.transcriptions.create",
        streams=True,
        files={"file": "recording.wav"},
    ),
    # OpenAI's SDK calls its own method for translations deprecated.
    "audio.translations": Shape("/v1/audio/translations", {}, files={"file": "recording.wav"}),
    "moderations": Shape("/v1/moderations", {"input": WORDS}, "openai", "moderations.create"),
    "rerank": Shape("/v1/rerank", {"query": WORDS, "documents": [WORDS, WORDS]}),
}


def call_again(row: Request, base_url: str) -> dict[str, str]:
    """A call like this one, by the language's name; empty where its endpoint has none."""
    shape = SHAPES.get(f"{row.endpoint}/{row.format}") or SHAPES.get(row.endpoint)
    if shape is None or not row.model:
        return {}
    written = {"curl": _curl(shape, row, base_url)}
    if shape.sdk:
        written["Python"] = _python(shape, row, base_url)
    return written


def _curl(shape: Shape, row: Request, base_url: str) -> str:
    path, body = shape.path, dict(shape.body)
    if shape.streamed and row.stream:
        path = shape.streamed[0]
    if "{model}" not in path:
        body = {"model": row.model, **body}
    if shape.streams and row.stream:
        body["stream"] = True
    address = base_url + path.replace("{model}", quote(row.model, safe="/"))
    lines = [f"curl {shlex.quote(address)}", '-H "Authorization: Bearer $GATEHOUSE_API_KEY"']
    if shape.files:
        lines += [f"-F {name}=@{file}" for name, file in shape.files.items()]
        lines += [f"--form-string {shlex.quote(f'{name}={_plain(value)}')}" for name, value in body.items()]
    else:
        lines += ['-H "Content-Type: application/json"']
        lines += [f"-d {shlex.quote(json.dumps(body, ensure_ascii=False))}"]
    if shape.sound:
        lines += [f"-o {shape.sound}"]
    return " \\\n  ".join(lines) + "\n"


def _python(shape: Shape, row: Request, base_url: str) -> str:
    method, is_streamed = shape.method, row.stream and (shape.streams or shape.streamed is not None)
    if shape.streamed and row.stream:
        method = shape.streamed[1]
    arguments = {"model": row.model, **(shape.body if shape.arguments is None else shape.arguments)}
    values = {name: _literal(value) for name, value in arguments.items()}
    values |= {name: f"Path({_literal(file)})" for name, file in shape.files.items()}
    if shape.streams and row.stream:
        values["stream"] = "True"
    head = "import os\nfrom pathlib import Path\n\n" if shape.files else "import os\n\n"
    client = _CLIENTS[shape.sdk].format(v1=_literal(f"{base_url}/v1"), root=_literal(base_url))
    call = "".join(f"    {name}={value},\n" for name, value in values.items())
    end = "print(answer)\n"
    if shape.sound:
        end = f"answer.write_to_file({_literal(shape.sound)})\n"
    elif is_streamed:
        end = "for piece in answer:\n    print(piece)\n"
    return f"{head}{client}answer = client.{method}(\n{call})\n{end}"


def _literal(value: Any) -> str:
    """A text, a number or a list of them, as Python writes it."""
    return json.dumps(value, ensure_ascii=False)


def _plain(value: Any) -> str:
    """A value as a field of a form."""
    return value if isinstance(value, str) else json.dumps(value)
