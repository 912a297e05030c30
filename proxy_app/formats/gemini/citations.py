"""Citations of Gemini answers, both directions.

The format counts bytes of UTF-8, ours are characters of the answer's text. `citationMetadata` names its list
`citationSources` in the Gemini API and `citations` in Vertex; `groundingMetadata` comes with Google's search.
"""

from typing import Any

from proxy_app.formats.reading import as_count, as_list, as_object, as_text
from proxy_app.wire import JSON, Citation


def read_citations(candidate: JSON, text: str) -> list[Citation]:
    """All that a candidate names, for the whole text so far."""
    metadata = as_object(candidate.get("citationMetadata"))
    sources = as_list(metadata.get("citationSources")) + as_list(metadata.get("citations"))
    grounding = as_object(candidate.get("groundingMetadata"))
    if not sources and not grounding:
        return []
    raw = text.encode()
    return [_citation(as_object(source), raw) for source in sources] + _grounded(grounding, raw)


def _citation(source: JSON, raw: bytes) -> Citation:
    uri, title = as_text(source.get("uri")) or None, as_text(source.get("title")) or None
    end = source.get("endIndex")
    start = source.get("startIndex", 0 if end is not None else None)
    return Citation(uri, title, start=_character(start, raw), end=_character(end, raw))


def _grounded(metadata: JSON, raw: bytes) -> list[Citation]:
    """One citation for each source of each supported segment; sources of no segment stand alone."""
    webs = [as_object(as_object(chunk).get("web")) for chunk in as_list(metadata.get("groundingChunks"))]
    cited = []
    used: set[int] = set()
    for support in map(as_object, as_list(metadata.get("groundingSupports"))):
        segment = as_object(support.get("segment"))
        for index in as_list(support.get("groundingChunkIndices")):
            if isinstance(index, int) and 0 <= index < len(webs):
                used.add(index)
                cited.append(_citation({**segment, **webs[index]}, raw))
    return cited + [_citation(web, raw) for index, web in enumerate(webs) if index not in used and web]


def _character(place: Any, raw: bytes) -> int | None:
    count = as_count(place)
    return None if count is None else len(raw[:count].decode("utf-8", "ignore"))


def render_citation(citation: Citation, text: str) -> JSON:
    """One of `citationSources`; `text` is the answer's text so far."""
    source: JSON = {}
    if citation.end is not None:
        source["startIndex"] = len(text[: citation.start or 0].encode())
        source["endIndex"] = len(text[: citation.end].encode())
    if citation.url is not None:
        source["uri"] = citation.url
    if citation.title is not None:
        source["title"] = citation.title
    return source
