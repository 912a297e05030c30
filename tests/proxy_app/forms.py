"""Forms as clients write them, for tests."""

from typing import Any

BOUNDARY = "form-of-a-test"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def form(files: dict[str, bytes] | None = None, /, **fields: Any) -> bytes:
    """Files first, so that the model stands behind them, as some SDKs have it."""
    parts = []
    for name, content in (files or {}).items():
        head = f'Content-Disposition: form-data; name="{name}"; filename="{name}.wav"\r\n'
        parts.append((head + "Content-Type: audio/wav\r\n\r\n").encode() + content)
    for name, value in fields.items():
        parts.append(f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode())
    line = f"--{BOUNDARY}".encode()
    return b"".join(line + b"\r\n" + part + b"\r\n" for part in parts) + line + b"--\r\n"
