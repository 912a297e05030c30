"""How many tokens a conversation has, asked in each format that has such an endpoint. It costs nothing."""

from proxy_app import counting, pipeline
from proxy_app.views.base import APIView
from proxy_app.views.conversations import gemini_model
from proxy_app.wire import Address


class CountTokens(APIView):
    """POST a conversation, get its size: by a provider of the format, else our estimate."""

    verb = ""

    def address(self) -> Address:
        return Address(verb=self.verb)

    async def post(self) -> None:
        call = self.make_call(await self.request.read_body(self.body_limit))
        call.is_count = True
        call.mark("received")
        await pipeline.run(call, counting.count)


class MessagesCountTokens(CountTokens):
    endpoint = "messages.count_tokens"
    format = "anthropic"
    verb = "count_tokens"


class ResponsesInputTokens(CountTokens):
    endpoint = "responses.input_tokens"
    format = "openai_responses"
    verb = "input_tokens"


class GeminiCountTokens(CountTokens):
    endpoint = "count_tokens"
    format = "gemini"
    verb = "countTokens"

    def address(self) -> Address:
        return Address(model=gemini_model(self.kwargs["model"]), verb=self.verb)
