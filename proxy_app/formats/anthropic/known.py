"""Every field of Anthropic Messages that is read when a body is translated, and what is left out of it.

Beside the format's own: what SDKs send back of an answer (`parsed_output`, `index`, `partial_json`, a
message's `id` and `usage`), and `betas` in a body, as other clouds have them.
"""

from typing import Final

from proxy_app.formats.knowing import Kinds, Known, shape

_ECHOES = "index parsed_output"
_SEARCHED = shape("enabled")
_TEXT = shape("type text cache_control citations", _ECHOES)
_IMAGE = shape("type cache_control", _ECHOES, source=shape("type media_type data url file_id", "filename"))
_IN_DOCUMENT = Kinds("type", {"text": _TEXT, "image": _IMAGE})
_DOCUMENT = shape(
    "type title context cache_control",
    _ECHOES,
    citations=_SEARCHED,
    source=shape("type media_type data url file_id", "filename", content=_IN_DOCUMENT),
)
_SEARCH_RESULT = shape(
    "type source title cache_control", _ECHOES, content=Kinds("type", {"text": _TEXT}), citations=_SEARCHED
)
_MEDIA = {"text": _TEXT, "image": _IMAGE, "document": _DOCUMENT, "search_result": _SEARCH_RESULT}
_BLOCK = Kinds(
    "type",
    {
        **_MEDIA,
        "tool_use": shape("type id name input cache_control", f"{_ECHOES} caller partial_json"),
        "tool_result": shape(
            "type tool_use_id is_error cache_control", _ECHOES, content=Kinds("type", _MEDIA)
        ),
        "thinking": shape("type thinking signature", f"{_ECHOES} cache_control"),
        "redacted_thinking": shape("type data", f"{_ECHOES} cache_control"),
    },
)
_ANSWER = "id type model stop_reason stop_sequence stop_details usage container diagnostics parsed_output"
_SAID = shape("role", _ANSWER, content=_BLOCK)
_SYSTEM = shape("role clear_at", content=_BLOCK, output_config=shape("effort"))
_MESSAGE = Kinds("role", {"user": _SAID, "assistant": _SAID, "system": _SYSTEM})
_TOOL = Kinds(
    "type",
    {
        "custom": shape(
            "type name description input_schema strict cache_control",
            "allowed_callers defer_loading eager_input_streaming input_examples",
        )
    },
    usual="custom",
)
_FORM = shape("type schema")

KNOWN: Final = Known(
    shape(
        "model max_tokens stream stop_sequences temperature top_p top_k service_tier cache_control metadata"
        " context_management",
        "speed diagnostics user_profile_id workspace_id fallbacks fallback_credit_token betas anthropic_beta"
        " anthropic_version",
        messages=_MESSAGE,
        system=Kinds("type", {"text": _TEXT}),
        tools=_TOOL,
        tool_choice=shape("type name disable_parallel_tool_use"),
        thinking=shape("type budget_tokens display", "block_binding"),
        output_config=shape("effort", "task_budget", format=_FORM),
        output_format=_FORM,
    ),
    empty=(None, [], {}),
)
