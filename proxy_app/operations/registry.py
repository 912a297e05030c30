"""The operations there are, by the address of their endpoint."""

from typing import Final

from proxy_app.operations import audio, embeddings, images, judging
from proxy_app.operations.contract import Operation

OPERATIONS: Final[dict[str, Operation]] = {
    "/embeddings": embeddings.EMBEDDINGS,
    ":embedContent": embeddings.EMBED_CONTENT,
    ":batchEmbedContents": embeddings.BATCH_EMBED_CONTENTS,
    "/images/generations": images.GENERATIONS,
    "/images/edits": images.EDITS,
    "/audio/speech": audio.SPEECH,
    "/audio/transcriptions": audio.TRANSCRIPTIONS,
    "/audio/translations": audio.TRANSLATIONS,
    "/moderations": judging.MODERATIONS,
    "/rerank": judging.RERANK,
}
