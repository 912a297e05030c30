"""The endpoints of a conversation, one for each format: post it, get an answer, whole or streamed."""

from proxy_app import pipeline
from proxy_app.abandoning import cancel_abandoned_twin
from proxy_app.dialects import query_of
from proxy_app.views.base import APIView
from proxy_app.wire import Address


class Conversation(APIView):
    """POST a conversation, get an answer."""

    async def post(self) -> None:
        raw = await self.request.read_body(self.body_limit)
        call = self.make_call(raw)
        cancel_abandoned_twin(call)
        call.mark("received")
        await pipeline.run(call)


class ChatCompletions(Conversation):
    """OpenAI Chat Completions; agents post the other shapes here too."""

    endpoint = "chat.completions"
    format = "openai_chat"


class Completions(Conversation):
    """OpenAI's older completions of a text."""

    endpoint = "completions"
    format = "openai_completions"


class Responses(Conversation):
    """OpenAI Responses."""

    endpoint = "responses"
    format = "openai_responses"


class CompactResponses(Conversation):
    """A conversation made shorter by the provider that keeps it so: relayed, never translated."""

    endpoint = "responses.compact"
    format = "openai_responses"

    def address(self) -> Address:
        return Address(verb="compact")


class Messages(Conversation):
    """Anthropic Messages."""

    endpoint = "messages"
    format = "anthropic"


class GenerateContent(Conversation):
    """Gemini: the model and whether to stream are in the address."""

    endpoint = "generate_content"
    format = "gemini"
    streams = False

    def address(self) -> Address:
        query = query_of(self.request.scope["query_string"])
        query.pop("key", None)
        return Address(model=gemini_model(self.kwargs["model"]), stream=self.streams, query=query)


class StreamGenerateContent(GenerateContent):
    streams = True


def gemini_model(path: str) -> str:
    """The public name in a Gemini address: 'models/x' is x, 'tunedModels/x' itself, and of Vertex's long
    names ('projects/…/models/x') the end."""
    if path.startswith(("projects/", "publishers/")):
        return path.rpartition("models/")[2]
    return path.removeprefix("models/")
