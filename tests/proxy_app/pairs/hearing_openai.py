"""How callers of Chat Completions and of Responses read an answer."""

from typing import Any

from tests.proxy_app.pairs.heard import Heard

JSON = dict[str, Any]


def hear_completion(body: JSON) -> Heard:
    [choice] = body["choices"]
    message = choice["message"]
    heard = Heard(finish=choice["finish_reason"], starts=1, ended=True, said=[message])
    heard.text = (message.get("content") or "") + (message.get("refusal") or "")
    heard.thoughts = message.get("reasoning_content") or ""
    for call in message.get("tool_calls") or ():
        _add_call(heard, call["id"], call["function"]["name"], call["function"]["arguments"])
    _count(heard, body.get("usage"))
    return heard


def hear_chat_stream(events: list[Any]) -> Heard:
    """`said` is what a client builds that keeps every field it knows of."""
    heard, message = Heard(), {"role": "assistant", "content": None}
    for event in events:
        assert not heard.ended and heard.error is None, "something follows the end"
        if event == "[DONE]":
            heard.ended = True
        elif "error" in event:
            heard.error = event["error"]
        else:
            _count(heard, event.get("usage"))
            for choice in event["choices"]:
                assert choice["index"] == 0 and heard.finish is None, "a choice goes on after its end"
                _grow(heard, message, choice["delta"])
                heard.finish = choice["finish_reason"]
    heard.text = message["content"] or ""
    heard.calls = [
        (call["function"]["name"], call["function"]["arguments"]) for call in message.get("tool_calls", ())
    ]
    heard.said = [message]
    return heard


def _grow(heard: Heard, message: JSON, delta: JSON) -> None:
    heard.starts += delta.get("role") == "assistant"
    for field in ("content", "refusal"):
        if delta.get(field):
            message["content"] = (message["content"] or "") + delta[field]
    heard.thoughts += delta.get("reasoning_content") or ""
    for block in delta.get("thinking_blocks") or ():
        message.setdefault("thinking_blocks", []).append(block)
    for piece in delta.get("tool_calls") or ():
        calls = message.setdefault("tool_calls", [])
        if piece["index"] == len(calls):
            heard.ids.append(piece["id"])
            calls.append({"id": piece["id"], "type": "function", "function": {"arguments": ""}})
        call, function = calls[piece["index"]], piece.get("function") or {}
        call["function"]["name"] = call["function"].get("name") or function["name"]
        call["function"]["arguments"] += function.get("arguments") or ""
        if "extra_content" in piece:
            call["extra_content"] = piece["extra_content"]


def hear_response(body: JSON) -> Heard:
    heard = Heard(starts=1, ended=True, said=body["output"])
    for item in body["output"]:
        if item["type"] == "message":
            heard.text += "".join(part.get("text") or part.get("refusal") or "" for part in item["content"])
        elif item["type"] == "reasoning":
            heard.thoughts += "".join(part["text"] for part in item["summary"])
        elif item["type"] == "function_call":
            _add_call(heard, item["call_id"], item["name"], item["arguments"])
    heard.finish = "tool_calls" if heard.calls else "stop"
    if body["status"] == "incomplete":
        reason = body["incomplete_details"]["reason"]
        heard.finish = "length" if reason == "max_output_tokens" else reason
    _count(heard, body.get("usage"))
    return heard


def hear_response_stream(events: list[JSON]) -> Heard:
    """What the deltas built must be what the end repeats."""
    heard, arguments, items = Heard(), {}, []
    whole: Heard | None = None
    for number, event in enumerate(events):
        assert whole is None and heard.error is None, "something follows the end"
        assert event["sequence_number"] == number or event["type"] == "error"
        kind = event["type"].removeprefix("response.")
        match kind:
            case "created":
                heard.starts += 1
            case "output_item.added":
                assert event["output_index"] == len(items)
                items.append(event["item"])
            case "output_text.delta" | "refusal.delta":
                assert items[event["output_index"]]["type"] == "message"
                heard.text += event["delta"]
            case "reasoning_summary_text.delta":
                assert items[event["output_index"]]["type"] == "reasoning"
                heard.thoughts += event["delta"]
            case "function_call_arguments.delta":
                assert items[event["output_index"]]["type"] == "function_call"
                at = event["output_index"]
                arguments[at] = arguments.get(at, "") + event["delta"]
            case "completed" | "incomplete":
                whole = hear_response(event["response"])
            case "failed":
                told = event["response"]
                heard.error = event.get(
                    "error", told["error"]
                )  # SDKs raise on ours; agents look into the response
                assert told["status"] == "failed" and told["error"]["message"] == heard.error["message"]
            case "error":
                heard.error = event
    calls = [(at, item) for at, item in enumerate(items) if item["type"] == "function_call"]
    heard.calls = [(item["name"], arguments.get(at, "")) for at, item in calls]
    heard.ids = [item["call_id"] for _, item in calls]
    if whole is None:
        return heard
    built = (heard.text, heard.thoughts, heard.ids, heard.arguments)
    assert built == (whole.text, whole.thoughts, whole.ids, whole.arguments)
    whole.starts = heard.starts
    return whole


def _add_call(heard: Heard, call_id: str, name: str, arguments: str) -> None:
    heard.ids.append(call_id)
    heard.calls.append((name, arguments))


def _count(heard: Heard, usage: JSON | None) -> None:
    """The usage of both formats: they differ in names only."""
    if usage is None:
        return
    into, out = ("input", "output") if "input_tokens" in usage else ("prompt", "completion")
    cached = (usage.get(f"{into}_tokens_details") or {}).get("cached_tokens", 0)
    thought = (usage.get(f"{out}_tokens_details") or {}).get("reasoning_tokens", 0)
    heard.usage = (usage[f"{into}_tokens"], cached, usage[f"{out}_tokens"], thought)
    heard.cost = usage.get("cost")
