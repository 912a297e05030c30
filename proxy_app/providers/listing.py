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


#: Where a list stands, what its entries are called by, and how the next page is told and asked for.
_LISTS = ("data", "models", "publisherModels", "modelSummaries", "inferenceProfileSummaries")
_NAMES = ("name", "modelId", "inferenceProfileId")
_LABELS = ("displayName", "modelName", "inferenceProfileName")
_PREFIX = re.compile(r"(publishers/[a-z0-9-]+/)?models/")
_NEXT_PAGE = {"nextPageToken": "pageToken", "next_page_token": "page_token", "nextToken": "nextToken"}


class UnreadableListing(Exception):
    """The answer is not a list of models."""


@dataclass(frozen=True, slots=True)
class ListedModel:
    id: str
    label: str


def parse_listing(format: WireFormat, body: Any) -> list[ListedModel]:
    """The models a chat can be held with, in the provider's order, each once.

    Takes {"data": […]} (OpenAI, Anthropic), {"models": […]} (Gemini, Cohere), a bare list (Together),
    and what clouds call it: {"publisherModels"} (Vertex AI), {"modelSummaries"} and
    {"inferenceProfileSummaries"} (Bedrock). Raises UnreadableListing on anything else.
    """
    found: dict[str, ListedModel] = {}
    for entry in _entries(format, body):
        listed = _by_name(entry) if "id" not in entry else _by_id(entry)
        if listed is not None and _chats(format, entry, listed.id):
            found.setdefault(listed.id, listed)
    return list(found.values())


def next_page(format: WireFormat, body: Any) -> dict[str, str]:
    """The query that asks for the following page; empty at the end."""
    if not isinstance(body, dict):
        return {}
    for told, asked in _NEXT_PAGE.items():
        if isinstance(body.get(told), str) and body[told]:
            return {asked: body[told]}
    if format == "anthropic" and body.get("has_more") is True and isinstance(body.get("last_id"), str):
        return {"after_id": body["last_id"]}
    return {}


def _entries(format: WireFormat, body: Any) -> list[JSON]:
    entries = body
    if isinstance(body, dict):
        entries = next((body[name] for name in _LISTS if name in body), None)
        if format == "gemini" and not body:
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


def _by_name(entry: JSON) -> ListedModel | None:
    """Entries of the clouds, of Gemini and Cohere: what they are called stands under one of many names."""
    name = next((entry[key] for key in _NAMES if isinstance(entry.get(key), str)), "")
    name = _PREFIX.sub("", name)
    if not name:
        return None
    label = next((entry[key] for key in _LABELS if isinstance(entry.get(key), str) and entry[key]), name)
    return ListedModel(name, label)


def _chats(format: WireFormat, entry: JSON, name: str) -> bool:
    """What the listing says outright, else what the name suggests."""
    if format == "anthropic" and "id" in entry:
        return True
    if "inferenceTypesSupported" in entry:
        return "ON_DEMAND" in entry["inferenceTypesSupported"] and not _OTHER_WORK.search(name.lower())
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
