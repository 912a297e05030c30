"""One tool call at a time, where the provider has no switch for it or does not heed it: of several calls in
an answer the first alone is the caller's. The model is told of no other, and calls again what it still needs.
Pure."""

from proxy_app.wire import Answer, SignatureDelta, StreamEvent, ToolCall, ToolCallDelta, ToolCallStarted


def first_call_alone(answer: Answer) -> None:
    """Leave further calls out of a whole answer."""
    calls = [part for part in answer.parts if isinstance(part, ToolCall)]
    answer.parts = [part for part in answer.parts if not isinstance(part, ToolCall) or part is calls[0]]


def is_of_a_further_call(event: StreamEvent) -> bool:
    """Whether an event of a stream is of another call than the first."""
    match event:
        case ToolCallStarted(index) | ToolCallDelta(index):
            return index > 0
        case SignatureDelta(call_index=int(index)):
            return index > 0
    return False
