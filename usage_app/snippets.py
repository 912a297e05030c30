"""Ready pieces of code for each client that works with the gateway. Data; the tests run them.

The address and the model are filled in; the key is read from $GATEHOUSE_API_KEY, so that no secret
is ever part of a page or of somebody's shell history.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class Snippet:
    """`language` is how it is written: shell, python, javascript, toml, or steps in a program's settings."""

    name: str
    label: str
    language: str
    text: str
    install: str = ""
    note: Any = ""

    def filled(self, base_url: str, model: str) -> str:
        """The text with an address (without /v1) and a model."""
        return self.text.replace("{base_url}", base_url).replace("{model}", model)


_CURL = """\
curl {base_url}/v1/chat/completions \\
  -H "Authorization: Bearer $GATEHOUSE_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{"model": "{model}", "stream": true, "messages": [{"role": "user", "content": "Say hello."}]}'
"""

_OPENAI_PYTHON = """\
import os

from openai import OpenAI

client = OpenAI(base_url="{base_url}/v1", api_key=os.environ["GATEHOUSE_API_KEY"])
stream = client.chat.completions.create(
    model="{model}",
    messages=[{"role": "user", "content": "Say hello in five words."}],
    stream=True,
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
"""

_OPENAI_NODE = """\
import OpenAI from "openai";

const client = new OpenAI({ baseURL: "{base_url}/v1", apiKey: process.env.GATEHOUSE_API_KEY });
const stream = await client.chat.completions.create({
  model: "{model}",
  messages: [{ role: "user", content: "Say hello in five words." }],
  stream: true,
});
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta?.content ?? "");
"""

_LANGCHAIN = """\
import os

from langchain_openai import ChatOpenAI

model = ChatOpenAI(
    model="{model}",
    base_url="{base_url}/v1",
    api_key=os.environ["GATEHOUSE_API_KEY"],
)
print(model.invoke("Say hello in five words.").content)
"""

_ANTHROPIC = """\
import os

from anthropic import Anthropic

client = Anthropic(base_url="{base_url}", api_key=os.environ["GATEHOUSE_API_KEY"])
with client.messages.stream(
    model="{model}",
    max_tokens=1024,
    messages=[{"role": "user", "content": "Say hello in five words."}],
) as stream:
    for text in stream.text_stream:
        print(text, end="", flush=True)
"""

_GENAI = """\
import os

from google import genai

client = genai.Client(
    api_key=os.environ["GATEHOUSE_API_KEY"], http_options={"base_url": "{base_url}"}
)
stream = client.models.generate_content_stream(
    model="{model}", contents="Say hello in five words."
)
for chunk in stream:
    print(chunk.text or "", end="", flush=True)
"""

_CLAUDE_CODE = """\
export ANTHROPIC_BASE_URL="{base_url}"
export ANTHROPIC_AUTH_TOKEN="$GATEHOUSE_API_KEY"
export ANTHROPIC_MODEL="{model}"
export ANTHROPIC_DEFAULT_HAIKU_MODEL="{model}"
claude
"""

_CODEX = """\
# ~/.codex/config.toml
model = "{model}"
model_provider = "gatehouse"

[model_providers.gatehouse]
name = "Gatehouse"
base_url = "{base_url}/v1"
env_key = "GATEHOUSE_API_KEY"
wire_api = "responses"
"""

_OPEN_WEBUI = """\
docker run -p 3000:8080 \\
  -e OPENAI_API_BASE_URL={base_url}/v1 \\
  -e OPENAI_API_KEY=$GATEHOUSE_API_KEY \\
  -e ENABLE_FORWARD_USER_INFO_HEADERS=true \\
  ghcr.io/open-webui/open-webui:main
"""

_CURSOR = """\
Settings → Models → API Keys
  OpenAI API Key            the value of $GATEHOUSE_API_KEY
  Override OpenAI Base URL  {base_url}/v1
Settings → Models → Add model
  {model}
"""

_WITHOUT_V1 = _("The address has no /v1 at its end: the SDK adds it by itself.")

#: In the order of the tabs.
SNIPPETS: tuple[Snippet, ...] = (
    Snippet("curl", "curl", "shell", _CURL),
    Snippet("openai-python", "OpenAI Python", "python", _OPENAI_PYTHON, install="pip install openai"),
    Snippet("openai-node", "OpenAI Node", "javascript", _OPENAI_NODE, install="npm install openai"),
    Snippet(
        "anthropic-python",
        "Anthropic Python",
        "python",
        _ANTHROPIC,
        install="pip install anthropic",
        note=_WITHOUT_V1,
    ),
    Snippet("google-genai", "Google GenAI", "python", _GENAI, install="pip install google-genai"),
    Snippet("langchain", "LangChain", "python", _LANGCHAIN, install="pip install langchain-openai"),
    Snippet(
        "claude-code",
        "Claude Code",
        "shell",
        _CLAUDE_CODE,
        install="npm install -g @anthropic-ai/claude-code",
        note=_("The last one is the small model, for work in the background: it may be another."),
    ),
    Snippet(
        "codex",
        "Codex",
        "toml",
        _CODEX,
        install="npm install -g @openai/codex",
        note=_("Any model may stand there, whatever its provider speaks; then start codex."),
    ),
    Snippet(
        "open-webui",
        "Open WebUI",
        "shell",
        _OPEN_WEBUI,
        note=_("From inside a container this machine is host.docker.internal, not localhost."),
    ),
    Snippet(
        "cursor",
        "Cursor",
        "steps",
        _CURSOR,
        note=_("Cursor calls from its own servers: the address must be reachable from the internet."),
    ),
)
BY_NAME: Mapping[str, Snippet] = {snippet.name: snippet for snippet in SNIPPETS}

_PLAYED_CURL = """\
curl {base_url}/v1/chat/completions \\
  -H "Authorization: Bearer $GATEHOUSE_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d @- <<'BODY'
{body}
BODY
"""
_PLAYED_OPENAI = """\
import json
import os

from openai import OpenAI

client = OpenAI(base_url="{base_url}/v1", api_key=os.environ["GATEHOUSE_API_KEY"])
answer = client.chat.completions.create(**json.loads(r'''{body}'''))
print(answer.choices[0].message.content)
"""
_PLAYED_ANTHROPIC = """\
import os

from anthropic import Anthropic

client = Anthropic(base_url="{base_url}", api_key=os.environ["GATEHOUSE_API_KEY"])
answer = client.messages.create(
    model={model}, max_tokens=1024, messages=[{"role": "user", "content": {prompt}}]
)
print(answer.content[0].text)
"""
_PLAYED_GENAI = """\
import os

from google import genai

client = genai.Client(
    api_key=os.environ["GATEHOUSE_API_KEY"], http_options={"base_url": "{base_url}"}
)
print(client.models.generate_content(model={model}, contents={prompt}).text)
"""
#: What was tried in the Playground, to go on with: the page fills in the body, the model and the words.
PLAYED: Mapping[str, str] = {
    "curl": _PLAYED_CURL,
    "OpenAI Python": _PLAYED_OPENAI,
    "Anthropic Python": _PLAYED_ANTHROPIC,
    "Google GenAI Python": _PLAYED_GENAI,
}
