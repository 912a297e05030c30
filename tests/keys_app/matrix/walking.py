"""Every address of the URL configuration, as routes with holes and as addresses to call."""

from collections.abc import Iterator, Mapping

from django.urls import URLPattern, URLResolver, get_resolver


def routes(patterns: list | None = None, start: str = "") -> Iterator[str]:
    """Each route as it is written, e.g. api/v1/keys/<str:pk>/block/."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        path = start + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, path)
        elif isinstance(pattern, URLPattern):
            yield path


def filled(route: str, ids: Mapping[str, str]) -> str:
    """The address of a route: each hole by its name, without the marks of regular expressions."""
    for name, value in ids.items():
        for kind in ("str", "uuid", "path", "slug", "int"):
            route = route.replace(f"<{kind}:{name}>", value)
        route = route.replace(f"<{name}>", value)
    return "/" + route.replace("^", "").replace(
        "(?P<app_label>auth|keys_app|proxy_app|usage_app)", "keys_app"
    ).replace(".*$", "anything").replace("$", "")
