"""Models served by a cloud: the address is made of the admin's own resource, project or region."""

from proxy_app.providers.presets.contract import Preset
from proxy_app.providers.presets.hosted import BATCHES, RESPONSES_TOO

_SERVICE_ACCOUNT = "The JSON key of a service account with the role Vertex AI User"
_AWS = "An Amazon Bedrock API key, or AWS access keys"

CLOUDS = (
    Preset(
        kind="azure",
        label="Azure OpenAI",
        base_url="",
        other_formats=RESPONSES_TOO,
        auth="api-key",
        quirks={**BATCHES, "family": "openai"},
        settings=("api_version",),
        addressing="azure",
        price_provider_id="openai",  # the same models at the same prices; Azure's own list is nearly empty
        key_hint="KEY 1 of the resource",
    ),
    Preset(
        kind="vertex_gemini",
        label="Vertex AI: Gemini",
        base_url="https://{location}-aiplatform.googleapis.com",
        format="gemini",
        auth="google-service-account",
        quirks={"family": "gemini"},
        settings=("project", "location"),
        addressing="vertex",
        price_provider_id="google",
        models_paths=("/v1beta1/publishers/google/models?pageSize=100",),
        lists_from_origin=True,
        key_hint=_SERVICE_ACCOUNT,
    ),
    Preset(
        kind="vertex_claude",
        label="Vertex AI: Claude",
        base_url="https://{location}-aiplatform.googleapis.com",
        format="anthropic",
        auth="google-service-account",
        quirks={"family": "anthropic"},
        settings=("project", "location"),
        addressing="vertex",
        price_provider_id="google",
        models_paths=("/v1beta1/publishers/anthropic/models?pageSize=100",),
        lists_from_origin=True,
        key_hint=_SERVICE_ACCOUNT,
    ),
    Preset(
        kind="bedrock",
        label="Amazon Bedrock",
        base_url="https://bedrock-runtime.{region}.amazonaws.com",
        format="bedrock_converse",
        auth="aws-sigv4",
        settings=("region",),
        required_settings=("region",),
        addressing="bedrock_converse",
        price_provider_id="aws",
        models_paths=(
            "/foundation-models?byOutputModality=TEXT",
            "/inference-profiles?type=SYSTEM_DEFINED&maxResults=1000",
        ),
        lists_from_origin=True,
        key_hint=_AWS,
    ),
    Preset(
        kind="bedrock_claude",
        label="Amazon Bedrock: Claude",
        base_url="https://bedrock-runtime.{region}.amazonaws.com",
        format="anthropic",
        auth="aws-sigv4",
        settings=("region",),
        required_settings=("region",),
        addressing="bedrock_invoke",
        quirks={"family": "anthropic", "no_token_count": True},
        price_provider_id="aws",
        models_paths=(
            "/foundation-models?byOutputModality=TEXT&byProvider=Anthropic",
            "/inference-profiles?type=SYSTEM_DEFINED&maxResults=1000",
        ),
        lists_from_origin=True,
        lists_only="anthropic.",
        key_hint=_AWS,
    ),
)
