"""The mock's memory of Responses answers: by id, cancelled, deleted; in the background after some looks."""

from typing import Any

JSON = dict[str, Any]


class Kept:
    """Answers by id, with the input they were made of."""

    def __init__(self) -> None:
        self._answers: dict[str, JSON] = {}
        self._whole: dict[str, JSON] = {}
        self._asked: dict[str, JSON] = {}

    def take(self, asked: JSON, answer: JSON) -> JSON:
        """The answer as its maker hands it out now: in the background, that it has begun."""
        object_id = answer["id"]
        self._asked[object_id] = asked
        if asked.get("store") is False:
            return answer
        answer = {**answer, "store": True, "previous_response_id": asked.get("previous_response_id")}
        self._answers[object_id] = answer
        if asked.get("background"):
            self._whole[object_id] = {**answer, "background": True}
            unfinished = {"background": True, "status": "queued", "output": [], "usage": None}
            self._answers[object_id] = {**answer, **unfinished}
        return self._answers[object_id]

    def answer(self, method: str, object_id: str, verb: str) -> JSON | None:
        """What a request about a kept answer is told; None: there is none."""
        if object_id not in self._answers:
            return None
        if method == "DELETE":
            del self._answers[object_id]
            return {"id": object_id, "object": "response", "deleted": True}
        if verb == "input_items":
            return self._items(object_id)
        now = self._answers[object_id]
        if verb == "cancel":
            self._whole.pop(object_id, None)
            now = {**now, "status": "cancelled"}
        elif now["status"] == "queued":
            now = {**now, "status": "in_progress"}
        elif now["status"] == "in_progress":
            now = self._whole.pop(object_id)
        self._answers[object_id] = now
        return now

    def _items(self, object_id: str) -> JSON:
        given = self._asked[object_id]["input"]
        content = [{"type": "input_text", "text": str(given)}]
        item = {"id": "msg_in", "type": "message", "role": "user", "status": "completed", "content": content}
        return {
            "object": "list",
            "data": [item],
            "first_id": "msg_in",
            "last_id": "msg_in",
            "has_more": False,
        }
