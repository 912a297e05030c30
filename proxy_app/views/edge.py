"""What is answered where there is no endpoint: the root, and paths nobody serves."""

import re
from collections.abc import Callable

from gateway_project.errors import GatehouseError, UnknownPath
from proxy_app.dialects import dialect_of
from proxy_app.views.base import APIView
from proxy_app.views.request import Request

_TWICE = re.compile(r"^(.*/v1)/v1(/|$)")
BESIDES = "What a provider has besides is behind its name"
_LONGEST, _MOST_WORDS = 200, 8  # characters of an address that is worth a guess, words before what was meant
_VERSIONS = frozenset({"v1", "v1beta", "v1alpha", "v1beta1"})
#: First words of an endpoint's address where no version stands before it.
_VERSIONLESS = frozenset({"chat", "completions", "messages", "responses", "embeddings", "models", "files"})
#: What base addresses have in them, rightly or not.
_BASES = _VERSIONS | {"openai", "anthropic", "gemini"}
_OWN = _BASES | _VERSIONLESS | {"api", "ui", "admin"}


class Root(APIView):
    """Clients probe the base address; it answers that something is here."""

    endpoint = "root"
    methods = ("GET", "HEAD")
    needs_key = False

    async def get(self) -> None:
        await self.request.reply.whole(200, {}, b'{"service":"gatehouse"}')

    head = get


class NoSuchPath(APIView):
    """404 in the caller's dialect; a wrong base address is told the right one."""

    endpoint = "unknown"
    needs_key = False

    def __init__(self, request: Request, **kwargs: str) -> None:
        super().__init__(request, **kwargs)
        scope = request.scope
        self.format = dialect_of(scope["path"], request.headers, scope["query_string"])

    async def initial(self) -> None:
        path = str(self.request.scope["path"])
        meant = self.kwargs.get("meant", "")
        try:
            await self.perform_authentication()
        except GatehouseError:
            self.request.principal = None
        raise UnknownPath(explain(path, meant))


def explain(path: str, meant: str = "") -> str:
    """A sentence on what is wrong with an address, and the one that was `meant` where that can be told."""
    named = f"There is no endpoint '{path[:200]}'"
    if match := _TWICE.match(path):
        return (
            f"{named}: the base address has /v1 twice. "
            f"It is …{match.group(1)} for OpenAI clients, without /v1 for Anthropic and Gemini clients."
        )
    if meant:
        return (
            f"{named} here. Did you mean '{meant}'? A base address ends in /v1 for OpenAI clients, "
            "and has no version for Anthropic and Gemini clients."
        )
    if _BASES.issuperset(words := path.strip("/").split("/")):
        return f"'/{'/'.join(words)}' is a base address: the path of an endpoint follows it."
    if path.startswith("/v1"):
        return f"{named} here. {BESIDES}: /{{provider}}{path[:200]}."
    return f"{named} here."


def meant_by(path: str, is_served: Callable[[str], bool]) -> str:
    """The address that a wrong one was to be, '' where that cannot be told: without slashes that came twice,
    in lower case, without what a base address had too much."""
    if len(path) > _LONGEST:
        return ""
    words = [word for word in path.split("/") if word]
    for start in range(min(len(words), _MOST_WORDS)):
        for tried in (words[start:], [word.lower() for word in words[start:]]):
            meant = "/" + "/".join(tried)
            if tried[0] not in _VERSIONS and not _OWN.issuperset(map(str.lower, words[:start])):
                continue
            if meant != path and is_served(meant):
                with_version = f"/v1{meant}"
                return with_version if tried[0] in _VERSIONLESS and is_served(with_version) else meant
    return ""
