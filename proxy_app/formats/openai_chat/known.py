"""Every field of Chat Completions that is read when a body is translated, and what is left out of it.

Beside OpenAI's own: what SDKs send back of an answer (`annotations`, `parsed`, `index`), and what other
servers' answers have (`reasoning`, `reasoning_details`, `provider_specific_fields`). A participant's `name`
has no place in other formats.
"""

from typing import Final

from proxy_app.formats.knowing import Kinds, Known, shape

_MARKS = "cache_control prompt_cache_breakpoint"

_PART = Kinds(
    "type",
    {
        "text": shape(f"type text {_MARKS}", "annotations id index"),
        "refusal": shape("type refusal", "annotations id index"),
        "image_url": shape(f"type {_MARKS}", "id", image_url=shape("url detail", "format")),
        "file": shape(f"type {_MARKS}", "id", file=shape("file_data file_id filename", "format")),
        "input_audio": shape(f"type {_MARKS}", "id", input_audio=shape("data format")),
    },
)
_CALL = shape(
    "id type cache_control extra_content",
    "index provider_specific_fields",
    function=shape("name arguments", "parsed_arguments provider_specific_fields"),
)
_SAID = shape("role cache_control", "id", "name", content=_PART)
_MESSAGE = Kinds(
    "role",
    {
        "system": _SAID,
        "developer": _SAID,
        "user": _SAID,
        "assistant": shape(
            "role refusal audio function_call reasoning_content cache_control",
            "id index annotations parsed prefix reasoning reasoning_details extra_content"
            " provider_specific_fields",
            "name",
            content=_PART,
            tool_calls=_CALL,
            thinking_blocks=shape("type thinking signature data", "index cache_control"),
        ),
        "tool": shape("role tool_call_id cache_control", "id name", content=_PART),
    },
)
_REPEATED = "description parameters strict"  # of a tool that is chosen, as it was offered
_CHOSEN = shape("type name", _REPEATED, function=shape("name", _REPEATED))
_CHOICE = shape(
    "type name mode", function=shape("name"), tools=_CHOSEN, allowed_tools=shape("mode", tools=_CHOSEN)
)
_FUNCTION = shape("name description parameters strict cache_control")
_TOOL = Kinds("type", {"function": shape("type cache_control", function=_FUNCTION)})
_FORM = Kinds(
    "type",
    {
        "text": shape("type"),
        "json_object": shape("type schema"),
        "json_schema": shape("type", json_schema=shape("name schema strict description")),
    },
)

KNOWN: Final = Known(
    shape(
        "model stream max_completion_tokens max_tokens n user safety_identifier metadata temperature top_p"
        " top_k seed frequency_penalty presence_penalty stop logprobs top_logprobs logit_bias"
        " parallel_tool_calls reasoning_effort verbosity service_tier modalities web_search_options",
        "prediction prompt_cache_key prompt_cache_retention prompt_cache_options store",
        stream_options=shape("include_usage", "include_obfuscation continuous_usage_stats"),
        messages=_MESSAGE,
        tools=_TOOL,
        tool_choice=_CHOICE,
        response_format=_FORM,
    ),
    empty=(None, [], {}),
)
