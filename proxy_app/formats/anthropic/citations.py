"""Citations of Anthropic answers, both directions.

The format counts places in the cited source; ours count places in the answer, so neither becomes the
other. A citation of another provider goes out as one of a web search, its `encrypted_index` marked as ours.
"""

from typing import Any

from proxy_app.formats.anthropic.blocks import MARK
from proxy_app.formats.media import is_web_url
from proxy_app.formats.reading import as_object, as_text
from proxy_app.wire import JSON, Citation

_NO_INDEX = f"{MARK}citation"


def read_citation(value: Any) -> Citation:
    """Ours from any of the format's kinds: of a web search, a search result, or a document."""
    told = as_object(value)
    url, source = as_text(told.get("url")), as_text(told.get("source"))
    return Citation(
        url=url or (source if is_web_url(source) else "") or None,
        title=as_text(told.get("title")) or as_text(told.get("document_title")) or source or None,
        cited_text=as_text(told.get("cited_text")) or None,
    )


def render_citation(citation: Citation) -> JSON:
    return {
        "type": "web_search_result_location",
        "url": citation.url or "",
        "title": citation.title,
        "cited_text": citation.cited_text or "",
        "encrypted_index": _NO_INDEX,
    }
