"""How the three Files APIs differ: where a file lies at its provider, how its owner's list is told. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from proxy_app.batch_kinds import ANTHROPIC_HEADERS
from proxy_app.catalogue import ProviderEntry
from proxy_app.wire import JSON

#: Anthropic's Files stand behind this, whatever the caller's own betas are.
FILES_BETA = "files-api-2025-04-14"


@dataclass(frozen=True, slots=True)
class FileKind:
    """`named` makes of the id in an address the id that the provider tells and callers name."""

    format: str  # of answers and errors, the caller's and the provider's
    path: Callable[[ProviderEntry], str]  # of all files
    content: str  # what stands behind a file's path where its content is
    named: Callable[[str], str]
    headers: Mapping[str, str] = field(default_factory=dict)
    is_unknown_refused: bool = False  # its 403 says of a file that it is not there, or not any more

    def path_of(self, provider: ProviderEntry, object_id: str, verb: str = "") -> str:
        return f"{self.path(provider)}/{quote(object_id.removeprefix('files/'), safe='')}{verb}"


def gemini_version(provider: ProviderEntry) -> str:
    return str(provider.quirks.get("api_version") or "v1beta")


#: By the dialect of who asks.
KINDS: Mapping[str, FileKind] = {
    "openai_chat": FileKind(
        format="openai_responses",
        path=lambda provider: "/files",
        content="/content",
        named=lambda name: name,
    ),
    "anthropic": FileKind(
        format="anthropic",
        path=lambda provider: "/v1/files",
        content="/content",
        named=lambda name: name,
        headers={**ANTHROPIC_HEADERS, "anthropic-beta": FILES_BETA},
    ),
    "gemini": FileKind(
        format="gemini",
        path=lambda provider: f"/{gemini_version(provider)}/files",
        content=":download?alt=media",
        named=lambda name: f"files/{name}",
        is_unknown_refused=True,
    ),
}

#: As an error tells whose Files API is meant.
AS: Mapping[str, str] = {
    "openai_chat": "as OpenAI does",
    "anthropic": "as Anthropic does",
    "gemini": "as Google does",
}


def dialect_at(provider: ProviderEntry) -> str:
    """Whose Files API a provider has, as the quirk `files` says; '' for none."""
    told = provider.quirks.get("files")
    if told is True:
        return "openai_chat"
    return told if isinstance(told, str) and told in KINDS else ""


def anthropic_list(data: Sequence[JSON], has_more: bool, last: str | None) -> dict[str, Any]:
    """A page as Anthropic's SDKs read it: the newer go on from `next_page`, the older from `last_id`."""
    return {
        "data": data,
        "has_more": has_more,
        "first_id": data[0].get("id") if data else None,
        "last_id": last,
        "next_page": f"page_{last}" if has_more and last else None,
    }


def gemini_list(data: Sequence[JSON], has_more: bool, last: str | None) -> dict[str, Any]:
    more = {"nextPageToken": last.removeprefix("files/")} if has_more and last else {}
    return {"files": data, **more} if data else more
