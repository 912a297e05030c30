"""Deterministic judgements: moderation by a few plain words, rerank by the words that are shared."""

import re
from typing import Any

from proxy_app.providers.sandbox.reading import count_tokens
from proxy_app.providers.sandbox.reply import Refused, digest

JSON = dict[str, Any]

#: Category of OpenAI's -> words that mark it here.
CATEGORIES: dict[str, tuple[str, ...]] = {
    "harassment": ("idiot",),
    "harassment/threatening": (),
    "hate": ("hate",),
    "hate/threatening": (),
    "illicit": ("smuggle",),
    "illicit/violent": (),
    "self-harm": (),
    "self-harm/instructions": (),
    "self-harm/intent": (),
    "sexual": (),
    "sexual/minors": (),
    "violence": ("kill",),
    "violence/graphic": (),
}
DOCUMENTS_A_SEARCH = 100


def moderation_body(body: JSON) -> JSON:
    """The answer to a moderation request; raises Refused (400) on a wrong one."""
    value = body.get("input")
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts:
        raise Refused(400, "'input' must be a text or a list.", param="input")
    if all(isinstance(item, dict) for item in texts):  # parts of one thing to look at
        texts = [" ".join(str(item.get("text", "")) for item in texts)]
    mark = digest("moderation", texts)[:24]
    return {"id": f"modr-{mark}", "model": body["model"], "results": [_judged(str(text)) for text in texts]}


def _judged(text: str) -> JSON:
    words = set(re.findall(r"\w+", text.lower()))
    found = {name: bool(words & set(marked)) for name, marked in CATEGORIES.items()}
    return {
        "flagged": any(found.values()),
        "categories": found,
        "category_scores": {name: 0.97 if is_found else 0.0001 for name, is_found in found.items()},
        "category_applied_input_types": {name: ["text"] for name in found},
    }


def rerank_body(body: JSON) -> JSON:
    """The answer to a rerank request, in Cohere's shape with Jina's usage; raises Refused (400)."""
    query, documents = body.get("query"), body.get("documents")
    if not isinstance(query, str) or not query:
        raise Refused(400, "'query' must be a text.", param="query")
    if not isinstance(documents, list) or not documents:
        raise Refused(400, "'documents' must be a list.", param="documents")
    texts = [str(each.get("text", "")) if isinstance(each, dict) else str(each) for each in documents]
    wanted = set(re.findall(r"\w+", query.lower()))
    scored = [(_likeness(wanted, text), -index) for index, text in enumerate(texts)]
    top = body.get("top_n")
    count = top if isinstance(top, int) and not isinstance(top, bool) and top > 0 else len(texts)
    results: list[JSON] = []
    for score, negative in sorted(scored, reverse=True)[:count]:
        result: JSON = {"index": -negative, "relevance_score": score}
        if body.get("return_documents") is True:
            result["document"] = {"text": texts[-negative]}
        results.append(result)
    tokens = sum(count_tokens(text) for text in (query, *texts))
    return {
        "id": f"rerank-{digest(query, texts)[:24]}",
        "model": body["model"],
        "results": results,
        "usage": {"total_tokens": tokens},
        "meta": {"billed_units": {"search_units": -(-len(texts) // DOCUMENTS_A_SEARCH)}},
    }


def _likeness(wanted: set[str], text: str) -> float:
    words = set(re.findall(r"\w+", text.lower()))
    return round(len(wanted & words) / (len(wanted | words) or 1), 6)
