"""GATEHOUSE_CONFIG at every start: its rows, its master key, and the sentences about it."""

import os
from pathlib import Path

from gateway_project.conf import Config, listens_on_loopback
from gateway_project.env import env_str
from proxy_app.config_file import read
from proxy_app.config_file.applying import apply, disable_former_files
from proxy_app.config_file.declared import Declared
from proxy_app.setup_database import SetupFailed

MASTER_KEY_FILE = "config_master_key"
EXAMPLE_KEY = "sk-1234"  # LiteLLM's; anyone would try it first
SHORTEST_MASTER_KEY = 16


def apply_config_file(settings: Config) -> list[str]:
    """Bring the database in line with the file; returns what the banner should say."""
    if settings.config_file is None:
        store_master_key(settings.data, None)
        return disable_former_files("")
    declared = read(settings.config_file)
    notices = _settle_master_key(settings, declared)
    notices += disable_former_files(declared.file)
    notices += apply(declared)
    return [*declared.all_notices(), *notices]


def _settle_master_key(settings: Config, declared: Declared) -> list[str]:
    """The environment wins over the file, and says so."""
    master = declared.master_key
    if master is None:
        store_master_key(settings.data, None)
        return []
    if given := env_str("GATEHOUSE_MASTER_KEY"):
        store_master_key(settings.data, None)
        same = given == master
        return [] if same else [f"GATEHOUSE_MASTER_KEY wins over the master key of {declared.file}."]
    weak = "a well-known one" if master == EXAMPLE_KEY else "too short"
    if not listens_on_loopback(settings.host) and (
        master == EXAMPLE_KEY or len(master) < SHORTEST_MASTER_KEY
    ):
        raise SetupFailed(
            f"The master key of {declared.file} is {weak}, which is not accepted while others can reach "
            "this gateway; set GATEHOUSE_MASTER_KEY."
        )
    store_master_key(settings.data, master)
    return []


def store_master_key(data: Path, master: str | None) -> None:
    """Keep the file's master key where `conf` reads it (0600), or take it away."""
    folder = data / "secrets"
    path = folder / MASTER_KEY_FILE
    if master is None:
        path.unlink(missing_ok=True)
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(master + "\n")
    temporary.replace(path)
