"""How a caller of Anthropic Messages reads an answer."""

import json
from typing import Any

from tests.proxy_app.pairs.heard import Heard

JSON = dict[str, Any]
_STOPS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
#: kind of a block -> what its deltas may be: the type, and the field that grows
_GROWS = {
    "text": {"text_delta": "text", "citations_delta": ""},
    "thinking": {"thinking_delta": "thinking", "signature_delta": "signature"},
    "tool_use": {"input_json_delta": "partial_json"},
}


def hear_message(body: JSON) -> Heard:
    heard = Heard(starts=1, ended=True, finish=_STOPS[body["stop_reason"]])
    _take(heard, body["content"])
    _count(heard, body["usage"])
    return heard


def hear_message_stream(events: list[JSON]) -> Heard:
    heard, usage, refusal = Heard(), {}, ""
    blocks: list[JSON] = []
    is_open = False
    for event in events:
        assert not heard.ended and heard.error is None, "something follows the end"
        match event["type"]:
            case "message_start":
                heard.starts += 1
                usage = event["message"]["usage"]
            case "content_block_start":
                assert not is_open and event["index"] == len(blocks) and heard.starts == 1
                is_open = True
                blocks.append({**event["content_block"], "input_text": ""})
            case "content_block_delta":
                assert is_open and event["index"] == len(blocks) - 1
                _grow(blocks[-1], event["delta"])
            case "content_block_stop":
                assert is_open and event["index"] == len(blocks) - 1
                is_open = False
                if blocks[-1]["type"] == "tool_use":
                    blocks[-1]["input"] = json.loads(blocks[-1]["input_text"] or "{}")
            case "message_delta":
                assert not is_open
                heard.finish = _STOPS[event["delta"]["stop_reason"]]
                refusal = (event["delta"].get("stop_details") or {}).get("explanation") or ""
                usage = usage | event["usage"]
                _count(heard, usage)
            case "message_stop":
                heard.ended = True
            case "error":
                heard.error = event["error"]
    _take(heard, blocks)
    heard.text = heard.text or refusal
    return heard


def _grow(block: JSON, delta: JSON) -> None:
    field = _GROWS[block["type"]][delta["type"]]
    if field == "partial_json":
        block["input_text"] += delta[field]
    elif field:
        block[field] += delta[field]


def _take(heard: Heard, blocks: list[JSON]) -> None:
    for block in blocks:
        written = block.pop("input_text", None)
        if block["type"] == "text":
            heard.text += block["text"]
        elif block["type"] == "thinking":
            heard.thoughts += block["thinking"]
        elif block["type"] == "tool_use":
            heard.ids.append(block["id"])
            heard.calls.append((block["name"], json.dumps(block["input"]) if written is None else written))
    heard.said = [{"role": "assistant", "content": blocks}]


def _count(heard: Heard, usage: JSON) -> None:
    read, written = usage.get("cache_read_input_tokens") or 0, usage.get("cache_creation_input_tokens") or 0
    thought = (usage.get("output_tokens_details") or {}).get("thinking_tokens", 0)
    heard.usage = (usage["input_tokens"] + read + written, read, usage["output_tokens"], thought)
    heard.cost = usage.get("cost")
