"""Collects the pages' static files into the data folder, only when code or requirements changed."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.core.management import call_command

from gateway_project.assets import UNUSED
from gateway_project.conf import BASE_DIR

_STAMP = ".collected"


def prepare_static() -> bool:
    """True when files were collected. The stamp stands beside them and is written last."""
    root = Path(settings.STATIC_ROOT)
    stamp = root / _STAMP
    wanted = fingerprint()
    try:
        if stamp.read_text("utf-8") == wanted:
            return False
    except OSError:
        pass
    root.mkdir(parents=True, exist_ok=True)
    call_command("collectstatic", interactive=False, verbosity=0, ignore_patterns=UNUSED)
    stamp.write_text(wanted, "utf-8")
    return True


def fingerprint() -> str:
    """Changes with the locked requirements and with every static file of ours."""
    digest = hashlib.sha256((BASE_DIR / "requirements.txt").read_bytes())
    for path in _own_files():
        status = path.stat()
        digest.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _own_files() -> Iterator[Path]:
    yield BASE_DIR / "gateway_project" / "assets.py"  # how they are named and which are left out
    yield BASE_DIR / "gateway_project" / "fonts.py"
    folders = [Path(folder) for folder in settings.STATICFILES_DIRS]
    folders += [BASE_DIR / app / "static" for app in ("keys_app", "usage_app", "proxy_app")]
    for folder in folders:
        yield from sorted(path for path in folder.rglob("*") if path.is_file())
