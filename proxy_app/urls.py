"""The data plane's addresses: path → view, and nothing else. Aliases are the same views."""

from proxy_app.views.base import APIView
from proxy_app.views.batches import Batch, Batches, CancelBatch
from proxy_app.views.conversations import (
    ChatCompletions,
    CompactResponses,
    Completions,
    GenerateContent,
    Messages,
    Responses,
    StreamGenerateContent,
)
from proxy_app.views.counting import GeminiCountTokens, MessagesCountTokens, ResponsesInputTokens
from proxy_app.views.edge import Root
from proxy_app.views.file_uploads import FileUploads
from proxy_app.views.files import File, FileContent, Files
from proxy_app.views.message_batches import (
    CancelMessageBatch,
    MessageBatch,
    MessageBatches,
    MessageBatchResults,
)
from proxy_app.views.models import Model, ModelInfo, Models
from proxy_app.views.operations import (
    BatchEmbedContents,
    EmbedContent,
    Embeddings,
    ImageEdits,
    ImageGenerations,
    Moderations,
    Rerank,
    Speech,
    Transcriptions,
    Translations,
)
from proxy_app.views.stored_responses import CancelResponse, ResponseInputItems, StoredResponse
from proxy_app.views.vitals import Live, Metrics, Ready

#: Where each API may be reached: as its SDK writes it, without a version, and under its own name.
OPENAI = ("/v1", "", "/openai/v1", "/openai", "/v1beta/openai")  # the last as Google has it
ANTHROPIC = ("/v1", "", "/anthropic/v1", "/anthropic")
GEMINI = (
    *("/v1beta", "/v1", "/v1alpha", "/v1beta1"),
    *("/gemini/v1beta", "/gemini/v1", "/gemini/v1alpha", "/gemini", ""),
)
#: Where Google's SDKs bring files.
UPLOADS = tuple(
    f"{root}/upload/{version}"
    for version in ("v1beta", "v1", "v1alpha", "v1beta1")
    for root in ("", "/gemini")
)
EVERY = tuple(dict.fromkeys((*OPENAI, *ANTHROPIC, *GEMINI)))
#: Azure's and LiteLLM's paths: the model stands in the address.
DEPLOYMENTS = ("/openai/deployments/", "/v1/engines/", "/engines/")

#: What is no conversation, behind the same addresses.
OPERATIONS: dict[str, type[APIView]] = {
    "/embeddings": Embeddings,
    "/images/generations": ImageGenerations,
    "/images/edits": ImageEdits,
    "/audio/speech": Speech,
    "/audio/transcriptions": Transcriptions,
    "/audio/translations": Translations,
    "/moderations": Moderations,
    "/rerank": Rerank,
}

#: Exact paths.
PATHS: dict[str, type[APIView]] = {
    "/": Root,
    "/health/live": Live,
    "/health/ready": Ready,
    **dict.fromkeys(("/health/liveness", "/health/liveliness"), Live),  # LiteLLM's
    "/health/readiness": Ready,
    "/metrics": Metrics,
    **{f"{base}/models": Models for base in EVERY},
    "/v1/model/info": ModelInfo,
    "/model/info": ModelInfo,
    **{f"{base}/chat/completions": ChatCompletions for base in OPENAI},
    **{f"{base}/completions": Completions for base in OPENAI},
    **{f"{base}/responses": Responses for base in OPENAI},
    **{f"{base}/responses/compact": CompactResponses for base in OPENAI},
    **{f"{base}/responses/input_tokens": ResponsesInputTokens for base in OPENAI},
    **{f"{base}/files": Files for base in EVERY},
    **{f"{base}/files": FileUploads for base in UPLOADS},
    **{f"{base}/batches": Batches for base in OPENAI},
    **{f"{base}{path}": view for path, view in OPERATIONS.items() for base in OPENAI},
    "/v2/rerank": Rerank,
    **{f"{base}/messages": Messages for base in ANTHROPIC},
    **{f"{base}/messages/count_tokens": MessagesCountTokens for base in ANTHROPIC},
    **{f"{base}/messages/batches": MessageBatches for base in ANTHROPIC},
}

#: Paths with a model in them: (start, end, view). The model is what stands between, slashes included;
#: the first that fits counts.
PATTERNS: tuple[tuple[str, str, type[APIView]], ...] = (
    *((start, "/chat/completions", ChatCompletions) for start in DEPLOYMENTS),
    *((start, "/completions", Completions) for start in DEPLOYMENTS),
    *((start, "/responses", Responses) for start in DEPLOYMENTS),
    *((start, path, view) for path, view in OPERATIONS.items() for start in DEPLOYMENTS),
    *((f"{base}/responses/", "/cancel", CancelResponse) for base in OPENAI),
    *((f"{base}/responses/", "/input_items", ResponseInputItems) for base in OPENAI),
    *((f"{base}/responses/", "", StoredResponse) for base in OPENAI),
    *((f"{base}/files/", ":download", FileContent) for base in GEMINI),
    *((f"{base}/files/", "/content", FileContent) for base in EVERY),
    *((f"{base}/files/", "", File) for base in EVERY),
    *((f"{base}/batches/", "/cancel", CancelBatch) for base in OPENAI),
    *((f"{base}/batches/", "", Batch) for base in OPENAI),
    *((f"{base}/messages/batches/", "/results", MessageBatchResults) for base in ANTHROPIC),
    *((f"{base}/messages/batches/", "/cancel", CancelMessageBatch) for base in ANTHROPIC),
    *((f"{base}/messages/batches/", "", MessageBatch) for base in ANTHROPIC),
    *((f"{base}/", ":embedContent", EmbedContent) for base in GEMINI),
    *((f"{base}/", ":batchEmbedContents", BatchEmbedContents) for base in GEMINI),
    *((f"{base}/", ":generateContent", GenerateContent) for base in GEMINI),
    *((f"{base}/", ":streamGenerateContent", StreamGenerateContent) for base in GEMINI),
    *((f"{base}/", ":countTokens", GeminiCountTokens) for base in GEMINI),
    *((f"{base}/models/", "", Model) for base in EVERY),
)
