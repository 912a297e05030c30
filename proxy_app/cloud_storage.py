"""Addresses in a cloud's own storage: a provider reads them by the account that the gateway calls it with.

A caller may name those alone that begin as the provider's quirk `storage` says. Pure.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gateway_project.errors import BadRequest
from proxy_app.formats.reading import holds_any
from proxy_app.google_files import ADDRESSES
from proxy_app.wire import JSON

SCHEMES = ("gs://", "s3://")
#: A body without any of these, in small letters, names no such address; they may be written as \u00…
_WORDS = (b"gs:", b"s3:", b"\\u00")


def check_storage(raw: bytes, body: JSON, quirks: Mapping[str, Any]) -> None:
    """Raise BadRequest for an address in a storage that is not open to callers. `raw` parsed is `body`."""
    if holds_any(raw.lower(), _WORDS):
        _check(_addresses(body), quirks)


def check_every_text(raw: bytes, body: Any, quirks: Mapping[str, Any]) -> None:
    """The same of a body whose fields nobody here knows: each of its texts may be such an address."""
    if holds_any(raw.lower(), _WORDS):
        _check(_texts(body), quirks)


def _check(addresses: Iterable[str], quirks: Mapping[str, Any]) -> None:
    open_to_callers = tuple(quirks.get("storage") or ())
    for address in addresses:
        if address.lower().startswith(SCHEMES) and not address.startswith(open_to_callers):
            raise BadRequest(
                f"'{address[:200]}' would be read by the gateway's own account: send the file itself, or ask "
                "an admin to open that storage to callers."
            )


def _texts(body: Any) -> Iterator[str]:
    """Those that are one word."""
    stack: list[Any] = [body]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            stack.extend(item)
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
        elif isinstance(item, str) and len((text := item.strip()).split(maxsplit=1)) == 1:
            yield text


def _addresses(body: JSON) -> Iterator[str]:
    stack: list[Any] = [body]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            for name in ADDRESSES & item.keys():
                if isinstance(item[name], str):
                    yield item[name].strip()
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
