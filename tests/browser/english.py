"""Finds the Latin words that a person meets on a Korean page: read, hovered over, or heard."""

import re
from functools import cache

from playwright.sync_api import Page

from gateway_project.errors import ERROR_CATALOGUE

#: Names of companies and products, units and code words: written in Latin letters in Korean too.
LATIN = re.compile(
    r"""(?<![A-Za-z])(
      Gatehouse|API|URL|ID|CSV|XLSX|JSON|SDK|HTTP|HTML|TLS|UTC|CPU|IP|PDF|OK|EN|KO|Ctrl|Enter|AWS
    | p50|p95|TTFT|OpenAI|Anthropic|Claude|Google|Cloud|Gemini|Mistral|DeepSeek|Groq|xAI|OpenRouter
    | Azure|Vertex|Amazon|Bedrock|AI|LangChain|Open|WebUI|Cursor|Python|Node|GenAI|Code|[Cc]odex|curl|LiteLLM
    | Together|Fireworks|Cerebras|Perplexity|NVIDIA|NIM|Cohere|Ollama|vLLM|LM|Studio|llama|cpp|Hugging
    | Face|TGI|HeadlessChrome|Chrome|Linux|Slack|HMAC|ms|min
    )(?![A-Za-z])""",
    re.VERBOSE,
)
#: Code words that help texts name as examples.
CODE = re.compile(
    r"(?<![A-Za-z])(chat\.completions|us-east-1|europe-west4|host\.docker\.internal|localhost)(?![A-Za-z])"
    r"|pbkdf2_sha256|high 1024x1024"
    r"|\((keys|people|allowances|catalogue|usage|calls|audit|access):(read|write)\)"
)
#: A call that failed is hovered over: its error's code is one word in every language.
_ERRORS = re.compile(
    rf"(?<![A-Za-z_])({'|'.join(sorted(ERROR_CATALOGUE, key=len, reverse=True))})(?![A-Za-z_])"
)
_WORD = re.compile(r"[A-Za-z]{2,}")
#: Addresses, paths, ids, masked digests and what a key is shown as.
_DATA = re.compile(
    r"https?://\S+|[\w.-]*(?:/[\w.*:-]+)+|sk-gh-\S+|[\w.]+@[\w.]+|/[\w/-]+|\bgpt-\*|[\w-]+…\w{4}|\bsk-…"
    r"|\b[0-9a-f]{8}-[0-9a-f-]{27}\b|[\w+/.]+\*{4,}"
)
#: Everything with words, hidden parts and templates too: a script may show them at any time. What is marked
#: as code, as English or as not to be translated is meant to be; icons are named by words; fields hold what
#: people wrote.
_TEXTS = """() => {
  const code = ".material-symbols-outlined, script, style, code, .gh-code, pre, kbd, svg, textarea";
  const marked = "[lang=en]";
  const leftOut = `${code}, ${marked}, [translate=no]`;
  const found = [document.title];
  const read = (root) => {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const element = node.nodeType === Node.TEXT_NODE ? node.parentElement : node;
      if (element?.matches("noscript")) {
        if (node !== element) read(new DOMParser().parseFromString(node.nodeValue, "text/html").body);
        continue;
      }
      if (element?.closest(leftOut)) {
        if (node === element && !element.closest(marked)) attributes(element);
        continue;
      }
      if (node !== element) found.push(node.nodeValue);
      else attributes(element);
      if (node.content) read(node.content);
    }
  };
  const attributes = (element) => {
    for (const name of ["title", "aria-label", "placeholder", "alt", "aria-description", "label"]) {
      if (element.hasAttribute(name)) found.push(element.getAttribute(name));
    }
    if (element.matches("input[type=submit], input[type=button]")) found.push(element.value);
  };
  read(document.body);
  return [...new Set(found.map((text) => text.trim()).filter(Boolean))];
}"""


@cache
def _alone(name: str) -> re.Pattern[str]:
    """The name, but not where it begins or ends another: `claude-3-opus` in `claude-3-opus-latest`."""
    return re.compile(
        rf"(?<![A-Za-z0-9_])(?<![A-Za-z0-9][-.]){re.escape(name)}(?![A-Za-z0-9_]|[-.][A-Za-z0-9])",
        re.IGNORECASE,
    )


def english(page: Page, names: frozenset[str]) -> list[str]:
    """The words, each with the text it stands in; `names` of objects are nobody's language."""
    words = []
    longest_first = [(name, name.lower()) for name in sorted(names, key=len, reverse=True)]
    for text in page.evaluate(_TEXTS):
        if text in names or not _WORD.search(text):
            continue
        bare, lowered = text, text.lower()  # titles begin with a capital letter
        for name, lower in longest_first:  # names first: one may hold what looks like a path
            if lower in lowered:
                bare = _alone(name).sub(" ", bare)
                lowered = bare.lower()
        bare = LATIN.sub(" ", CODE.sub(" ", _DATA.sub(" ", _ERRORS.sub(" ", bare))))
        words += [f"{word} ({text[:80]})" for word in _WORD.findall(bare)]
    return words
