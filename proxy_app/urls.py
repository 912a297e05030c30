"""The data plane's addresses: path → view, and nothing else. Aliases are the same views."""

from proxy_app.views.base import APIView
from proxy_app.views.chat import ChatCompletions
from proxy_app.views.edge import Root
from proxy_app.views.models import Model, Models
from proxy_app.views.vitals import Live, Metrics, Ready

#: Exact paths.
PATHS: dict[str, type[APIView]] = {
    "/": Root,
    "/health/live": Live,
    "/health/ready": Ready,
    "/metrics": Metrics,
    "/v1/chat/completions": ChatCompletions,
    "/chat/completions": ChatCompletions,
    "/openai/v1/chat/completions": ChatCompletions,
    "/openai/chat/completions": ChatCompletions,
    "/v1/models": Models,
    "/models": Models,
    "/openai/v1/models": Models,
    "/openai/models": Models,
}

#: Paths with a model in them: (start, end, view). The model is what stands between, slashes included.
PATTERNS: tuple[tuple[str, str, type[APIView]], ...] = (
    ("/openai/deployments/", "/chat/completions", ChatCompletions),
    ("/v1/engines/", "/chat/completions", ChatCompletions),
    ("/engines/", "/chat/completions", ChatCompletions),
    ("/v1/models/", "", Model),
    ("/models/", "", Model),
    ("/openai/v1/models/", "", Model),
    ("/openai/models/", "", Model),
)
