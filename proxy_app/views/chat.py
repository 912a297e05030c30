"""OpenAI Chat Completions."""

from proxy_app import pipeline
from proxy_app.abandoning import cancel_abandoned_twin
from proxy_app.views.base import APIView


class ChatCompletions(APIView):
    """POST a conversation, get an answer, whole or streamed."""

    endpoint = "chat.completions"
    format = "openai_chat"

    async def post(self) -> None:
        raw = await self.request.read_body(self.body_limit)
        call = self.make_call(raw)
        cancel_abandoned_twin(call)
        call.mark("received")
        await pipeline.run(call)
