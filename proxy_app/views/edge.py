"""What is answered where there is no endpoint: the root, and paths nobody serves."""

import re

from gateway_project.errors import GatehouseError, UnknownPath
from proxy_app.dialects import dialect_of
from proxy_app.views.base import APIView
from proxy_app.views.request import Request

_TWICE = re.compile(r"^(.*/v1)/v1(/|$)")


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
        try:
            await self.perform_authentication()
        except GatehouseError:
            self.request.principal = None
        raise UnknownPath(explain(path))


def explain(path: str) -> str:
    """A sentence on what is wrong with an address."""
    if match := _TWICE.match(path):
        return (
            f"There is no endpoint '{path[:200]}': the base address has /v1 twice. "
            f"It is …{match.group(1)} for OpenAI clients, without /v1 for Anthropic and Gemini clients."
        )
    return f"There is no endpoint '{path[:200]}' here."
