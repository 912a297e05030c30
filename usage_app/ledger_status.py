"""What a ledger process says of itself: in a file, which needs no database, and in its row."""

import json
from pathlib import Path
from typing import Any

from gateway_project.clock import now
from usage_app.models import LedgerStatus

STATUS_FILE = "_status.json"


def write_file(directory: Path, status: dict[str, Any]) -> None:
    """At once or not at all: a reader never sees half of it."""
    path = directory / STATUS_FILE
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(status), "utf-8")
    temporary.replace(path)


def write_row(host: str, lag_s: float, last_batch_at: str) -> None:
    """`last_batch_at` is empty until there was one."""
    LedgerStatus.objects.update_or_create(
        host=host, defaults={"seen_at": now(), "lag_s": lag_s, "last_batch_at": last_batch_at or None}
    )
