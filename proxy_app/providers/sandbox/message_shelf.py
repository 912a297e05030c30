"""The sandbox's batches of messages, as Anthropic has them, on the shelf where its other batches lie.

One ends at the second look at it; each request is answered then as the same conversation by itself would be.
"""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from gateway_project.errors import GatehouseError
from proxy_app.formats import exchange
from proxy_app.formats.contract import RenderOptions
from proxy_app.providers.sandbox.reply import Refused, SandboxReply, digest, json_reply, one_chunk
from proxy_app.providers.sandbox.shelf import FILE_LIMIT, WINDOW_S, AnswerLine, Shelf
from proxy_app.wire import NOWHERE, BodySource, Target

JSON = dict[str, Any]

ROUTE = "messages/batches"
_COUNTS = ("processing", "succeeded", "errored", "canceled", "expired")


@dataclass(frozen=True, slots=True)
class MessageShelf:
    shelf: Shelf

    async def answer(
        self, method: str, route: str, body: bytes | BodySource, now: int, line: AnswerLine
    ) -> SandboxReply:
        """Raises Refused. `route` begins with messages/batches."""
        name, _, verb = route.removeprefix(ROUTE).strip("/").partition("/")
        if not name:
            if method != "POST":
                raise Refused(405, "Use POST here.", code="method_not_allowed", headers={"allow": "POST"})
            return json_reply(200, await self._make(body, now))
        known = self.shelf.read(name)
        if verb == "results":
            return self._results(known)
        if method == "DELETE":
            return self._delete(known)
        if verb == "cancel":
            if known["processing_status"] == "in_progress":
                await self._end(known | {"cancel_initiated_at": _time(now)}, now, None)
        elif known["processing_status"] == "in_progress":
            known["looks"] += 1
            self.shelf.write(name, known)
            if known["looks"] >= 2:
                await self._end(known, now, line)
        return json_reply(200, _told(self.shelf.read(name)))

    async def _make(self, body: bytes | BodySource, now: int) -> JSON:
        self.shelf.tidy()
        raw = body if isinstance(body, bytes) else b"".join([piece async for piece in body.chunks()])
        if len(raw) > FILE_LIMIT:
            raise Refused(413, f"The sandbox takes batches of {FILE_LIMIT} bytes.", code="request_too_large")
        try:
            requests = orjson.loads(raw)["requests"]
            total = len([request["custom_id"] for request in requests])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            raise Refused(400, "'requests' must be a list of requests.", param="requests") from None
        name = f"msgbatch_{digest(os.urandom(16).hex())[:24]}"
        known = {
            "id": name,
            "type": "message_batch",
            "processing_status": "in_progress",
            "request_counts": {**dict.fromkeys(_COUNTS, 0), "processing": total},
            "ended_at": None,
            "created_at": _time(now),
            "expires_at": _time(now + WINDOW_S),
            "archived_at": None,
            "cancel_initiated_at": None,
            "results_url": None,
            "looks": 0,
        }
        self.shelf.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.shelf.folder / f"{name}.bin").write_bytes(orjson.dumps(requests))
        self.shelf.write(name, known)
        return _told(known)

    async def _end(self, known: JSON, now: int, line: AnswerLine | None) -> None:
        """Answer each request, or none where it was cancelled; the results take the requests' place."""
        path = self.shelf.folder / f"{known['id']}.bin"
        counts = dict.fromkeys(_COUNTS, 0)
        lines = []
        for request in orjson.loads(path.read_bytes()):
            result = {"type": "canceled"} if line is None else await _result(request["params"], now, line)
            counts[result["type"]] += 1
            lines.append(orjson.dumps({"custom_id": request["custom_id"], "result": result}) + b"\n")
        path.write_bytes(b"".join(lines))
        url = f"https://sandbox.invalid/v1/{ROUTE}/{known['id']}/results"
        ended = {"processing_status": "ended", "ended_at": _time(now), "results_url": url}
        self.shelf.write(known["id"], {**known, **ended, "request_counts": counts})

    def _results(self, known: JSON) -> SandboxReply:
        if not known["results_url"]:
            raise Refused(404, "The batch has no results yet.", code="not_found")
        content = (self.shelf.folder / f"{known['id']}.bin").read_bytes()
        headers = {"content-type": "application/x-jsonl", "content-length": str(len(content))}
        return SandboxReply(200, headers, one_chunk(content))

    def _delete(self, known: JSON) -> SandboxReply:
        if known["processing_status"] != "ended":
            raise Refused(400, "Only a batch that has ended can be deleted: cancel it first.")
        for path in (self.shelf.folder / f"{known['id']}{end}" for end in (".json", ".bin")):
            path.unlink(missing_ok=True)
        return json_reply(200, {"id": known["id"], "type": "message_batch_deleted"})


async def _result(params: JSON, now: int, line: AnswerLine) -> JSON:
    """One request's result: asked in the sandbox's own format, told in Anthropic's."""
    model = str(params.get("model"))
    target = Target("openai_chat", model)
    try:
        facts = exchange.read_call("anthropic", params, NOWHERE)
        outgoing = exchange.build_outgoing("anthropic", target, orjson.dumps(params), params, facts)
        assert isinstance(outgoing.body, bytes)
        status, answered = await line("/v1/chat/completions", orjson.loads(outgoing.body))
        if status != 200:
            return _errored(
                "invalid_request_error" if status < 500 else "api_error", answered["error"]["message"]
            )
        options = RenderOptions(model=model, answer_id=f"msg_{digest(params)[:24]}", created=now)
        raw, _ = exchange.convert_answer("anthropic", target, orjson.dumps(answered), facts, options)
    except GatehouseError as error:
        return _errored("invalid_request_error", error.detail)
    return {"type": "succeeded", "message": orjson.loads(raw)}


def _errored(kind: str, message: str) -> JSON:
    return {"type": "errored", "error": {"type": "error", "error": {"type": kind, "message": message}}}


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _told(known: JSON) -> JSON:
    return {name: value for name, value in known.items() if name != "looks"}
