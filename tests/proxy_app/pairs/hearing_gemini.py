"""How a caller of Gemini's generateContent reads an answer: a stream is several of a plain one."""

import json
from typing import Any

from tests.proxy_app.pairs.heard import Heard

JSON = dict[str, Any]


def hear_pieces(pieces: list[JSON]) -> Heard:
    """The format has no end of its own: a reason to finish is one."""
    heard, parts = Heard(), []
    reason, refusal = None, ""
    for piece in pieces:
        assert heard.error is None and reason is None, "something follows the end"
        if "error" in piece:
            assert next(iter(piece)) == "error"
            heard.error = piece["error"]
            continue
        heard.starts = 1
        for candidate in piece.get("candidates", ()):
            parts += candidate.get("content", {}).get("parts", ())
            reason = candidate.get("finishReason")
            refusal = candidate.get("finishMessage") or ""
        if "promptFeedback" in piece:
            reason = "SAFETY"
        _count(heard, piece.get("usageMetadata"))
    for part in parts:
        if "functionCall" in part:
            call = part["functionCall"]
            heard.ids.append(call.get("id", ""))
            heard.calls.append((call["name"], json.dumps(call["args"])))
        elif part.get("thought"):
            heard.thoughts += part["text"]
        else:
            heard.text += part["text"]
    heard.text = heard.text or refusal
    if reason is not None:
        words = {"MAX_TOKENS": "length", "STOP": "tool_calls" if heard.calls else "stop"}
        heard.finish = words.get(reason, "content_filter")
        heard.ended = True
    heard.said = [{"role": "model", "parts": parts}]
    return heard


def _count(heard: Heard, usage: JSON | None) -> None:
    if usage is None:
        return
    thought = usage.get("thoughtsTokenCount", 0)
    cached = usage.get("cachedContentTokenCount", 0)
    heard.usage = (usage["promptTokenCount"], cached, usage.get("candidatesTokenCount", 0) + thought, thought)
    heard.cost = usage.get("cost")
