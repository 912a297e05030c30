"""Reads a provider's answer to "which models do you have" into ids and labels. Pure."""

import re
from dataclasses import dataclass
from typing import Any

from proxy_app.providers.presets import WireFormat

JSON = dict[str, Any]

#: Names of models that do something other than chat, where the listing itself does not say.
_OTHER_WORK = re.compile(
    r"embed|whisper|tts|transcri|moderation|dall-e|sora|imagen|veo|realtime|rerank|ocr|guard|speech"
    r"|(^|[-/])(image|live|audio|davinci|babbage|translate|aqa|lyria|robotics|nano-banana)([-.]|$)"
)


class UnreadableListing(Exception):
    """The answer is not a list of models."""


@dataclass(frozen=True, slots=True)
class ListedModel:
    id: str
    label: str


def parse_listing(format: WireFormat, body: Any) -> list[ListedModel]:
    """The models a chat can be held with, in the provider's order, each once.

    Takes the three shapes {"data": […]} (OpenAI, Anthropic), {"models": […]} (Gemini) and a
    bare list (Together). Raises UnreadableListing on anything else.
    """
    found: dict[str, ListedModel] = {}
    for entry in _entries(format, body):
        listed = _gemini(entry) if format == "gemini" else _by_id(entry)
        if listed is not None and _chats(format, entry, listed.id):
            found.setdefault(listed.id, listed)
    return list(found.values())


def next_page(format: WireFormat, body: Any) -> dict[str, str]:
    """The query that asks for the following page; empty at the end."""
    if not isinstance(body, dict):
        return {}
    if format == "gemini":
        token = body.get("nextPageToken")
        return {"pageToken": token} if isinstance(token, str) and token else {}
    if format == "anthropic" and body.get("has_more") is True and isinstance(body.get("last_id"), str):
        return {"after_id": body["last_id"]}
    return {}


def _entries(format: WireFormat, body: Any) -> list[JSON]:
    entries = body.get("models" if format == "gemini" else "data") if isinstance(body, dict) else body
    if format == "gemini" and body == {}:
        entries = []
    if not isinstance(entries, list):
        raise UnreadableListing("The provider's answer is not a list of models.")
    return [entry for entry in entries if isinstance(entry, dict)]


def _by_id(entry: JSON) -> ListedModel | None:
    name = entry.get("id")
    if not isinstance(name, str) or not name:
        return None
    label = entry.get("display_name") or entry.get("name")
    return ListedModel(name, label if isinstance(label, str) and label else name)


def _gemini(entry: JSON) -> ListedModel | None:
    name = entry.get("name")
    if not isinstance(name, str) or not name:
        return None
    name = name.removeprefix("models/")
    label = entry.get("displayName")
    return ListedModel(name, label if isinstance(label, str) and label else name)


def _chats(format: WireFormat, entry: JSON, name: str) -> bool:
    """What the listing says outright, else what the name suggests."""
    if format == "anthropic":
        return True
    if format == "gemini":
        methods = entry.get("supportedGenerationMethods")
        if isinstance(methods, list) and "generateContent" not in methods:
            return False
        return not _OTHER_WORK.search(name.lower())
    if entry.get("active") is False:
        return False
    told = _told(entry)
    return told if told is not None else not _OTHER_WORK.search(name.lower())


def _told(entry: JSON) -> bool | None:
    """Mistral's capabilities, Fireworks' flag, Together's type, OpenRouter's modalities."""
    capabilities = entry.get("capabilities")
    if isinstance(capabilities, dict) and isinstance(capabilities.get("completion_chat"), bool):
        return bool(capabilities["completion_chat"])
    if isinstance(entry.get("supports_chat"), bool):
        return bool(entry["supports_chat"])
    if entry.get("type") in (
        "chat",
        "language",
        "image",
        "embedding",
        "moderation",
        "rerank",
        "audio",
        "video",
    ):
        return entry["type"] in ("chat", "language")
    architecture = entry.get("architecture")
    modalities = architecture.get("output_modalities") if isinstance(architecture, dict) else None
    return "text" in modalities if isinstance(modalities, list) else None
