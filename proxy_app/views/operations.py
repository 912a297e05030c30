"""The endpoints that are no conversations, one for each operation; aliases are the same views."""

from typing import ClassVar

from gateway_project.errors import InvalidBody, JournalFull, UnsupportedEncoding
from proxy_app import pipeline
from proxy_app.abandoning import cancel_abandoned_twin
from proxy_app.multipart import Scanner, boundary_of
from proxy_app.operating import operate
from proxy_app.operations.contract import Asked, Operation
from proxy_app.operations.registry import OPERATIONS
from proxy_app.spool import Spool, SpooledForm
from proxy_app.views.base import APIView
from proxy_app.views.conversations import gemini_model
from proxy_app.wire import Address

AUDIO_LIMIT = 32 * 1024 * 1024  # OpenAI takes files of 25 MB
IMAGES_LIMIT = 64 * 1024 * 1024


class OperationView(APIView):
    """POST what the operation takes: JSON, or a form that is kept on disk while it passes."""

    operation: ClassVar[Operation]

    async def post(self) -> None:
        content_type = self.request.headers.get(b"content-type", b"").decode("latin-1")
        if self.operation.takes_form and content_type.lower().startswith("multipart/"):
            await self._post_form(content_type)
        else:
            await self._carry(await self.request.read_body(self.body_limit), Asked())

    async def _post_form(self, content_type: str) -> None:
        services = self.request.services
        if b"content-encoding" in self.request.headers:
            raise UnsupportedEncoding("A form must not be compressed.")
        if not services.journal.has_room():
            raise JournalFull
        scanner = Scanner(boundary_of(content_type))
        spool = Spool(services.config.data)
        try:
            await self._receive(scanner, spool)
            form = SpooledForm(spool, scanner.finish(), content_type)
            await self._carry(spool.digest, Asked(form=form))
        finally:
            spool.close()

    async def _receive(self, scanner: Scanner, spool: Spool) -> None:
        """The whole body, into the spool; a form that cannot be read is received to its end too, so that
        its sender hears why."""
        broken: InvalidBody | None = None
        async for piece in self.request.pieces(self.body_limit):
            if broken is None:
                try:
                    scanner.feed(piece)
                except InvalidBody as error:
                    broken = error
                else:
                    await spool.write(piece)
        if broken is not None:
            raise broken
        await spool.close_writing()

    async def _carry(self, raw: bytes, asked: Asked) -> None:
        """`raw` tells one body from another: of a form it is a digest."""
        call = self.make_call(raw)
        call.operation, call.asked = self.operation, asked
        cancel_abandoned_twin(call)
        call.mark("received")
        await pipeline.run(call, operate)


class Embeddings(OperationView):
    """OpenAI's embeddings."""

    endpoint = "embeddings"
    operation = OPERATIONS["/embeddings"]


class EmbedContent(OperationView):
    """Gemini's embedding of one content: the model is in the address."""

    endpoint = "embeddings"
    format = "gemini"
    operation = OPERATIONS[":embedContent"]

    def address(self) -> Address:
        return Address(model=gemini_model(self.kwargs["model"]))


class BatchEmbedContents(EmbedContent):
    operation = OPERATIONS[":batchEmbedContents"]


class ImageGenerations(OperationView):
    endpoint = "images.generations"
    operation = OPERATIONS["/images/generations"]


class ImageEdits(OperationView):
    endpoint = "images.edits"
    operation = OPERATIONS["/images/edits"]
    body_limit = IMAGES_LIMIT


class Speech(OperationView):
    endpoint = "audio.speech"
    operation = OPERATIONS["/audio/speech"]


class Transcriptions(OperationView):
    endpoint = "audio.transcriptions"
    operation = OPERATIONS["/audio/transcriptions"]
    body_limit = AUDIO_LIMIT


class Translations(OperationView):
    endpoint = "audio.translations"
    operation = OPERATIONS["/audio/translations"]
    body_limit = AUDIO_LIMIT


class Moderations(OperationView):
    endpoint = "moderations"
    operation = OPERATIONS["/moderations"]


class Rerank(OperationView):
    """Cohere's and Jina's shape."""

    endpoint = "rerank"
    operation = OPERATIONS["/rerank"]
