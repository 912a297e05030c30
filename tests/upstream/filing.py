"""The mock's memory of files, as Anthropic and Google keep them. Google's are brought piece by piece, and one
that is not there is a 403."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

JSON = dict[str, Any]
GOOGLE = "https://generativelanguage.googleapis.com/v1beta/"


@dataclass
class Filed:
    """`answer` gives None for what is not there."""

    told: dict[str, JSON] = field(default_factory=dict)
    content: dict[str, bytes] = field(default_factory=dict)
    pieces: dict[str, tuple[JSON, bytearray]] = field(default_factory=dict)

    async def anthropic(self, request: web.Request) -> web.Response | None:
        name, verb = request.match_info.get("id", ""), request.match_info.get("verb", "")
        if name:
            return self._known(request, name, verb, {"id": name, "type": "file_deleted"})
        if request.method == "GET":
            return web.json_response({"data": list(self.told.values()), "has_more": False})
        form = await request.post()
        file = form["file"]
        assert isinstance(file, web.FileField)
        content = file.file.read()
        made = {
            "id": f"file_{len(self.told) + 1:06}",
            "type": "file",
            "filename": file.filename,
            "mime_type": file.content_type,
            "size_bytes": len(content),
            "created_at": "2026-01-01T00:00:00Z",
            "downloadable": True,
        }
        return self._put(made["id"], made, content, made)

    async def gemini(self, request: web.Request) -> web.Response | None:
        name, _, verb = request.match_info.get("id", "").partition(":")
        if name:
            return self._known(request, f"files/{name}", verb, {})
        return web.json_response({"files": list(self.told.values())})

    async def gemini_upload(self, request: web.Request) -> web.Response | None:
        command = request.headers.get("x-goog-upload-command", "")
        upload = request.query.get("upload_id", "")
        if command == "start":
            upload = f"up-{len(self.pieces) + 1}"
            self.pieces[upload] = ((await request.json()).get("file") or {}, bytearray())
            query = f"upload_id={upload}&key={request.headers['x-goog-api-key']}&upload_protocol=resumable"
            url = f"{request.url.origin()}{request.path}?{query}"
            return web.Response(headers={"x-goog-upload-url": url, "x-goog-upload-status": "active"})
        if not upload:
            return self._google({}, await request.read(), {})
        if upload not in self.pieces:
            return None
        asked, content = self.pieces[upload]
        assert int(request.headers["x-goog-upload-offset"]) == len(content)
        content += await request.read()
        if "finalize" not in command:
            return web.Response(headers={"x-goog-upload-status": "active"})
        return self._google(asked, bytes(content), {"x-goog-upload-status": "final"})

    def _google(self, asked: JSON, content: bytes, headers: dict[str, str]) -> web.Response:
        name = f"files/mock{len(self.told) + 1:06}"
        made = {
            "name": name,
            "uri": f"{GOOGLE}{name}",
            "displayName": asked.get("display_name", ""),
            "mimeType": asked.get("mime_type", "text/plain"),
            "sizeBytes": str(len(content)),
            "state": "ACTIVE",
            "sha256Hash": hashlib.sha256(content).hexdigest(),
        }
        return self._put(name, made, content, {"file": made}, headers)

    def _put(
        self, name: str, made: JSON, content: bytes, told: JSON, headers: dict[str, str] | None = None
    ) -> web.Response:
        self.told[name], self.content[name] = made, content
        return web.json_response(told, headers=headers)

    def _known(self, request: web.Request, name: str, verb: str, deleted: JSON) -> web.Response | None:
        if name not in self.told:
            return None
        if request.method == "DELETE":
            del self.told[name], self.content[name]
            return web.json_response(deleted)
        if verb:
            return web.Response(body=self.content[name], content_type="application/octet-stream")
        return web.json_response(self.told[name])
