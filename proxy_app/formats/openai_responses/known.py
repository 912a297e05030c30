"""Every field of Responses that is read when a body is translated, and what is left out of it.

Beside the format's own: what SDKs send back of an answer (`id`, `status`, `parsed`, `parsed_arguments`,
`created_by`).
"""

from typing import Final

from proxy_app.formats.knowing import Kinds, Known, Shape, shape
from proxy_app.formats.openai_responses.request import FAILED

_MARKS = "cache_control prompt_cache_breakpoint"
_ECHOES = "id status created_by"
_TEXT = shape(f"type text {_MARKS}", "annotations logprobs parsed id index")
_PART = Kinds(
    "type",
    {
        **dict.fromkeys(("input_text", "output_text", "text", "summary_text"), _TEXT),
        "refusal": shape("type refusal", "id index"),
        "input_image": shape(f"type image_url file_id detail {_MARKS}", "id"),
        "input_file": shape(f"type file_data file_id file_url filename {_MARKS}", "id", "detail"),
        "input_audio": shape(f"type {_MARKS}", "id", input_audio=shape("data format")),
    },
)
_THOUGHT = shape("type text", "id index")
_CALLED = "caller parsed_arguments"
_RESULT = shape(f"type call_id {FAILED}", f"{_ECHOES} caller name namespace", output=_PART)


def _tools(**more: Shape) -> Kinds:
    how = "allowed_callers defer_loading"
    function = shape("type name description parameters strict cache_control", how, "output_schema")
    custom = shape("type name description", how, format=shape("type syntax definition"))
    search = shape("type external_web_access", is_open=True)
    return Kinds("type", {"function": function, "custom": custom, "web_search": search, **more})


_TOOL = _tools(namespace=shape("type name", "", "description", tools=_tools()))
_ITEM = Kinds(
    "type",
    {
        "message": shape("type role", f"{_ECHOES} phase", content=_PART),
        "function_call": shape("type call_id name arguments namespace", f"{_ECHOES} {_CALLED}"),
        "custom_tool_call": shape("type call_id name input namespace", f"{_ECHOES} {_CALLED}"),
        "function_call_output": _RESULT,
        "custom_tool_call_output": _RESULT,
        "reasoning": shape("type id encrypted_content", _ECHOES, summary=_THOUGHT, content=_THOUGHT),
        "additional_tools": shape("type", f"{_ECHOES} role", tools=_TOOL),
    },
    usual="message",
)
_CHOSEN = shape("type name namespace", "description parameters strict format")
_FORM = shape("type name schema strict description")

KNOWN: Final = Known(
    shape(
        "model instructions stream max_output_tokens user safety_identifier metadata temperature top_p top_k"
        " parallel_tool_calls service_tier include",
        "store prompt_cache_key prompt_cache_retention prompt_cache_options truncation context_management"
        " stream_options max_tool_calls client_metadata",
        input=_ITEM,
        tools=_TOOL,
        tool_choice=shape("type name namespace mode", tools=_CHOSEN),
        text=shape("verbosity", format=_FORM),
        reasoning=shape("effort summary generate_summary mode", "context"),
    ),
    empty=(None, False, "", [], {}),
)
