"""One rich body of each format: every kind of object that a body may hold, at least once."""

from typing import Any, Final

PNG: Final = "iVBORw0KGgo="
IMAGE: Final = f"data:image/png;base64,{PNG}"
PDF: Final = f"data:application/pdf;base64,{PNG}"
SCHEMA: Final = {"type": "object", "properties": {"city": {"type": "string"}}}
SHORT: Final = {"type": "ephemeral"}

_CHAT_TOOL: Final = {"type": "function", "function": {"name": "look", "parameters": SCHEMA}}
CHAT: Final[dict[str, Any]] = {
    "model": "m",
    "stream": True,
    "stream_options": {"include_usage": True},
    "messages": [
        {"role": "system", "content": [{"type": "text", "text": "Be brief.", "cache_control": SHORT}]},
        {"role": "developer", "content": "Please."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look"},
                {"type": "image_url", "image_url": {"url": IMAGE}},
                {
                    "type": "file",
                    "file": {"file_data": PDF, "filename": "a"},
                },
                {"type": "input_audio", "input_audio": {"data": PNG, "format": "wav"}},
            ],
        },
        {
            "role": "assistant",
            "content": [{"type": "text", "text": "So"}, {"type": "refusal", "refusal": "No"}],
            "thinking_blocks": [{"type": "thinking", "thinking": "Hm", "signature": "s"}],
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"city": "A"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "Rain"}]},
    ],
    "tools": [_CHAT_TOOL],
    "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [_CHAT_TOOL]}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}},
}
CHAT_TOO: Final[dict[str, Any]] = {
    "model": "m",
    "messages": [{"role": "user", "content": "Hi"}],
    "tools": [_CHAT_TOOL],
    "tool_choice": {"type": "function", "function": {"name": "look"}},
    "response_format": {"type": "json_object"},
}
CHAT_PLAIN: Final[dict[str, Any]] = {
    **CHAT_TOO,
    "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "look"}]},
    "response_format": {"type": "text"},
}

_TEXT: Final = {"type": "text", "text": "Look", "cache_control": SHORT}
_IMAGE: Final = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
_PAPER: Final = {"type": "base64", "media_type": "application/pdf", "data": PNG}
_FOUND: Final = {
    "type": "search_result",
    "source": "https://x.test",
    "title": "T",
    "content": [{"type": "text", "text": "Rain"}],
    "citations": {"enabled": False},
}
CLAUDE: Final[dict[str, Any]] = {
    "model": "m",
    "max_tokens": 4096,
    "system": [{"type": "text", "text": "Be brief."}],
    "thinking": {"type": "enabled", "budget_tokens": 2048},
    "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}},
    "tools": [{"name": "look", "input_schema": SCHEMA}],
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": False},
    "messages": [
        {
            "role": "user",
            "content": [
                _TEXT,
                _IMAGE,
                {"type": "document", "source": _PAPER, "title": "a", "citations": {"enabled": False}},
                {"type": "document", "source": {"type": "content", "content": [_TEXT, _IMAGE]}},
                _FOUND,
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm", "signature": "s"},
                {"type": "redacted_thinking", "data": "d"},
                {"type": "text", "text": "So"},
                {"type": "tool_use", "id": "c1", "name": "look", "input": {"city": "A"}},
            ],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "c1", "content": [_TEXT, _IMAGE, _FOUND]}],
        },
    ],
}
CLAUDE_BEFORE: Final[dict[str, Any]] = {
    "model": "m",
    "max_tokens": 4096,
    "output_format": {"type": "json_schema", "schema": SCHEMA},
    "messages": [
        {"role": "user", "content": "Hi"},
        {"role": "system", "content": "Be brief.", "output_config": {"effort": "low"}},
    ],
}

_TOOL: Final = {"type": "function", "name": "look", "parameters": SCHEMA}
_GRAMMAR: Final = {"type": "grammar", "syntax": "lark", "definition": "start: A"}
_WRITES: Final = {"type": "custom", "name": "write", "format": _GRAMMAR}
RESPONSES: Final[dict[str, Any]] = {
    "model": "m",
    "store": False,
    "reasoning": {"effort": "low", "summary": "auto"},
    "text": {"verbosity": "low", "format": {"type": "json_schema", "name": "n", "schema": SCHEMA}},
    "tools": [_TOOL, _WRITES, {"type": "namespace", "name": "n", "tools": [_TOOL, _WRITES]}],
    "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "look"}]},
    "input": [
        {"type": "additional_tools", "role": "developer", "tools": [{**_TOOL, "name": "more"}]},
        {"role": "developer", "content": [{"type": "input_text", "text": "Be brief."}]},
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Look"},
                {"type": "input_image", "image_url": IMAGE},
                {
                    "type": "input_file",
                    "file_data": PDF,
                    "filename": "a.pdf",
                },
                {"type": "input_audio", "input_audio": {"data": PNG, "format": "wav"}},
            ],
        },
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "Hm"}],
            "content": [{"type": "reasoning_text", "text": "Hm"}],
            "encrypted_content": "s",
        },
        {
            "role": "assistant",
            "content": [{"type": "output_text", "text": "So"}, {"type": "refusal", "refusal": "No"}],
        },
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "c2", "name": "write", "input": "A"},
        {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "Rain"}]},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": "done"},
    ],
}

_INLINE: Final = {"inlineData": {"mimeType": "image/png", "data": PNG}}
GEMINI: Final[dict[str, Any]] = {
    "systemInstruction": {"parts": [{"text": "Be brief."}]},
    "contents": [
        {
            "role": "user",
            "parts": [
                {"text": "Look"},
                _INLINE,
                {"file_data": {"file_uri": "https://x.test/a.pdf", "mime_type": "application/pdf"}},
            ],
        },
        {"role": "model", "parts": [{"functionCall": {"id": "c1", "name": "look", "args": {"city": "A"}}}]},
        {
            "role": "user",
            "parts": [
                {
                    "functionResponse": {
                        "id": "c1",
                        "name": "look",
                        "response": {"output": "Rain"},
                        "parts": [_INLINE, {"fileData": {"fileUri": "https://x.test/a.png"}}],
                    }
                }
            ],
        },
    ],
    "tools": [{"functionDeclarations": [{"name": "look", "parametersJsonSchema": SCHEMA}]}],
    "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
    "generationConfig": {"temperature": 0.5, "thinkingConfig": {"thinkingBudget": 2048}},
}

BODIES: Final[list[tuple[str, dict[str, Any]]]] = [
    ("openai_chat", CHAT),
    ("openai_chat", CHAT_TOO),
    ("openai_chat", CHAT_PLAIN),
    ("anthropic", CLAUDE),
    ("anthropic", CLAUDE_BEFORE),
    ("openai_responses", RESPONSES),
    ("gemini", GEMINI),
    ("openai_completions", {"model": "m", "prompt": "Hi", "stream_options": {"include_usage": True}}),
]
