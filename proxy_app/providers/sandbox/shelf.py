"""The sandbox's files and batches: on disk, so that every worker finds them, and for a day.

A batch is done at the second look at it: its lines are answered then, as calls by themselves would be.
"""

import os
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from gateway_project.errors import InvalidBody
from proxy_app.multipart import Scanner, boundary_of
from proxy_app.providers.sandbox.reply import Refused, SandboxReply, digest, json_reply, one_chunk
from proxy_app.wire import BodySource

JSON = dict[str, Any]
#: Answers one line: (url, body) -> status and body.
AnswerLine = Callable[[str, JSON], Awaitable[tuple[int, JSON]]]

FILE_LIMIT = 64 * 1024 * 1024
KEPT_S = 24 * 3600
WINDOW_S = 24 * 3600
_ID = re.compile(r"(file|batch|msgbatch)[-_][0-9a-f]{24}")


@dataclass(frozen=True, slots=True)
class Shelf:
    folder: Path

    async def answer(
        self, method: str, route: str, content_type: str, body: bytes | BodySource, now: int, line: AnswerLine
    ) -> SandboxReply:
        """Raises Refused. `route` begins with files or batches."""
        kind, _, rest = route.partition("/")
        name, _, verb = rest.partition("/")
        if not name:
            if method != "POST":
                raise Refused(405, "Use POST here.", code="method_not_allowed", headers={"allow": "POST"})
            made = await self._make(kind, content_type, body, now)
            return json_reply(200, made)
        known = self.read(name)
        if kind == "files":
            return self._file(method, verb, name, known)
        if verb == "cancel" and known["status"] == "validating":
            known |= {"status": "cancelled", "cancelled_at": now}
            self.write(name, known)
        elif not verb:
            known = await self._look(known, now, line)
        return json_reply(200, _told(known))

    async def _make(self, kind: str, content_type: str, body: bytes | BodySource, now: int) -> JSON:
        self.tidy()
        raw = body if isinstance(body, bytes) else b"".join([piece async for piece in body.chunks()])
        if len(raw) > FILE_LIMIT:
            raise Refused(413, f"The sandbox takes files of {FILE_LIMIT} bytes.", code="file_too_large")
        return self._file_from(raw, content_type, now) if kind == "files" else self._batch_from(raw, now)

    def _file_from(self, raw: bytes, content_type: str, now: int) -> JSON:
        try:
            scanner = Scanner(boundary_of(content_type))
            scanner.feed(raw)
            scan = scanner.finish()
        except InvalidBody as error:
            raise Refused(400, error.detail, code="invalid_form") from error
        purpose = scan.fields.get("purpose", [""])[-1]
        if len(scan.files) != 1 or not purpose:
            raise Refused(400, "A file and its 'purpose' are needed.", param="purpose")
        file = scan.files[0]
        content = raw[file.start : file.start + file.size]
        return self._put(content, file.filename, purpose, now)

    def _put(self, content: bytes, filename: str, purpose: str, now: int) -> JSON:
        name = f"file-{digest(os.urandom(16).hex())[:24]}"
        known = {
            "id": name,
            "object": "file",
            "bytes": len(content),
            "created_at": now,
            "filename": filename,
            "purpose": purpose,
            "status": "processed",
        }
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.folder / f"{name}.bin").write_bytes(content)
        self.write(name, known)
        return known

    def _file(self, method: str, verb: str, name: str, known: JSON) -> SandboxReply:
        if method == "DELETE":
            for path in (self.folder / f"{name}.json", self.folder / f"{name}.bin"):
                path.unlink(missing_ok=True)
            return json_reply(200, {"id": name, "object": "file", "deleted": True})
        if verb == "content":
            content = (self.folder / f"{name}.bin").read_bytes()
            headers = {"content-type": "application/octet-stream", "content-length": str(len(content))}
            return SandboxReply(200, headers, one_chunk(content))
        return json_reply(200, known)

    def _batch_from(self, raw: bytes, now: int) -> JSON:
        try:
            asked = orjson.loads(raw)
        except orjson.JSONDecodeError:
            asked = None
        if not isinstance(asked, dict):
            raise Refused(400, "The body must be a JSON object.", code="invalid_json")
        file = self.read(str(asked.get("input_file_id")))
        if file.get("purpose") != "batch":
            raise Refused(400, "The file's purpose is not 'batch'.", param="input_file_id")
        name = f"batch_{digest(os.urandom(16).hex())[:24]}"
        known = {
            "id": name,
            "object": "batch",
            "endpoint": asked.get("endpoint"),
            "input_file_id": asked.get("input_file_id"),
            "completion_window": asked.get("completion_window") or "24h",
            "status": "validating",
            "created_at": now,
            "expires_at": now + WINDOW_S,
            "output_file_id": None,
            "error_file_id": None,
            "metadata": asked.get("metadata"),
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
            "looks": 0,
        }
        self.write(name, known)
        return _told(known)

    async def _look(self, known: JSON, now: int, answer_line: AnswerLine) -> JSON:
        if known["status"] not in ("validating", "in_progress"):
            return known
        known |= {"looks": known["looks"] + 1, "status": "in_progress", "in_progress_at": now}
        if known["looks"] >= 2:
            known |= await self._run(known, now, answer_line)
        self.write(known["id"], known)
        return known

    async def _run(self, known: JSON, now: int, answer_line: AnswerLine) -> JSON:
        self.read(known["input_file_id"])
        content = (self.folder / f"{known['input_file_id']}.bin").read_bytes()
        lines: list[bytes] = []
        failed = 0
        for number, raw in enumerate(content.splitlines(), 1):
            asked = orjson.loads(raw)
            status, body = await answer_line(asked["url"], asked["body"])
            failed += status != 200
            response = {"status_code": status, "request_id": f"req_{number}", "body": body}
            answered = {"id": f"batch_req_{number}", "custom_id": asked.get("custom_id"), "error": None}
            lines.append(orjson.dumps({**answered, "response": response}))
        output = self._put(b"\n".join(lines) + b"\n", f"{known['id']}_output.jsonl", "batch_output", now)
        counts = {"total": len(lines), "completed": len(lines) - failed, "failed": failed}
        ended = {"status": "completed", "completed_at": now, "request_counts": counts}
        return {**ended, "output_file_id": output["id"]}

    def read(self, name: str) -> JSON:
        try:
            if not _ID.fullmatch(name):
                raise FileNotFoundError
            known: JSON = orjson.loads((self.folder / f"{name}.json").read_bytes())
        except FileNotFoundError:
            raise Refused(404, f"The sandbox has no '{name[:100]}' (any more).", code="not_found") from None
        return known

    def write(self, name: str, known: JSON) -> None:
        fresh = self.folder / f"{name}.{os.getpid()}.new"
        fresh.write_bytes(orjson.dumps(known))
        fresh.replace(self.folder / f"{name}.json")  # whoever reads meanwhile reads a whole one

    def tidy(self) -> None:
        """Nothing stays longer than a day."""
        for path in self.folder.glob("*"):
            try:
                if path.stat().st_mtime < time.time() - KEPT_S:
                    path.unlink()
            except FileNotFoundError:
                continue


def _told(known: JSON) -> JSON:
    return {name: value for name, value in known.items() if name != "looks"}
