"""The data folder and its secrets: made on the first start, checked on every one.

Folders are 0700 and files 0600 from the moment they exist. A secret is written whole or not at all,
and of two first starts at once one wins and the other uses what it made. Standard library only.
"""

import base64
import binascii
import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from gateway_project.conf import Config, listens_on_loopback
from gateway_project.env import BadSetting

SECRET_KEY_BYTES = 32
SHORTEST_MASTER_KEY = 16  # on an address others can reach
WELL_KNOWN = frozenset(
    {"sk-1234", "admin", "changeme", "change-me", "default", "gatehouse", "litellm", "master", "password"}
    | {"passw0rd", "secret", "sk-changeme", "sk-master", "sk-test", "test", "12345678", "1234567890"}
)
LOOPBACK_ONLY = frozenset({"sk-1234"})  # LiteLLM's example key: good enough to try, on this machine only


def new_secret_key() -> str:
    """A fresh encryption key: 32 random bytes as URL-safe base64."""
    return base64.urlsafe_b64encode(secrets.token_bytes(SECRET_KEY_BYTES)).decode("ascii")


def new_master_key() -> str:
    return f"sk-gh-master-{secrets.token_urlsafe(32)}"


def new_django_secret() -> str:
    return secrets.token_urlsafe(64)


#: file in <data>/secrets -> what makes it
SECRETS: dict[str, Callable[[], str]] = {
    "secret_keys": new_secret_key,
    "master_key": new_master_key,
    "django_secret_key": new_django_secret,
}


def prepare_data_folder(config: Config) -> None:
    """Make what is missing, refuse what is unsafe; raises BadSetting with a sentence.

    Secrets that the environment sets are not generated. What was generated is read by the next
    `conf.load()`.
    """
    folder = config.data / "secrets"
    make_private_folder(config.data)
    make_private_folder(folder)
    given = {"secret_keys": bool(config.secret_keys), "master_key": bool(config.master_key)}
    for name, make in SECRETS.items():
        path = folder / name
        if path.exists() or not given.get(name, False):
            make_secret(path, make)
            check_secret_file(path)


def make_private_folder(path: Path) -> None:
    """A folder of mode 0700; an empty one that is there is made private, a used one must be."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077 and not any(path.iterdir()):
            path.chmod(0o700)
            mode = 0o700
    except NotADirectoryError:
        raise BadSetting(
            f"{path} is in the way of the data folder; set GATEHOUSE_DATA to a folder."
        ) from None
    except FileExistsError:
        raise BadSetting(f"{path} is a file; set GATEHOUSE_DATA to a folder.") from None
    except OSError as error:
        raise BadSetting(f"The folder {path} cannot be used: {error.strerror}; set GATEHOUSE_DATA.") from None
    if mode & 0o077:
        raise BadSetting(f"Others on this machine may open {path} (mode {mode:o}): chmod 700 {path}")


def make_secret(path: Path, make: Callable[[], str]) -> None:
    """Write a secret unless it is there. Races end in one secret that every racer reads."""
    if path.exists():
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        _write_private(temporary, make())
        # A link, unlike a rename, fails when the name is taken: the first racer's secret stays.
        with suppress(FileExistsError):
            os.link(temporary, path)
    except OSError as error:
        raise BadSetting(f"The secret {path} cannot be written: {error.strerror}.") from None
    finally:
        with suppress(OSError):
            temporary.unlink()
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())


def check_secret_file(path: Path) -> None:
    """Raises BadSetting when others may read the file or nothing is in it."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_text("utf-8")
    except OSError as error:
        raise BadSetting(f"The secret {path} cannot be read: {error.strerror}.") from None
    if mode & 0o077:
        raise BadSetting(f"Others on this machine may read {path} (mode {mode:o}): chmod 600 {path}")
    if not text.strip():
        raise BadSetting(f"The secret {path} is empty: restore it from a backup, or delete it for a new one.")


def check_secrets(config: Config) -> None:
    """Raises BadSetting for secrets anyone could guess or nothing could use; never shows one."""
    for key in config.secret_keys:
        if not is_secret_key(key):
            raise BadSetting(
                "GATEHOUSE_SECRET_KEYS holds a key that is not 32 random bytes in URL-safe base64; "
                "leave it out and one is generated."
            )
    if not config.secret_keys:
        raise BadSetting("There is no encryption key; start with make run, which generates one.")
    check_master_key(config.master_key, config.host)
    if config.admin_password and config.admin_password.lower() in WELL_KNOWN:
        raise BadSetting("GATEHOUSE_ADMIN_PASSWORD is one that everybody tries first; choose another.")


def check_master_key(key: str, host: str) -> None:
    """Raises BadSetting for an empty, well-known or short master key."""
    local = listens_on_loopback(host)
    if not key:
        raise BadSetting("There is no master key; start with make run, which generates one.")
    if key.lower() in WELL_KNOWN and not (local and key in LOOPBACK_ONLY):
        where = "while others can reach this gateway" if key in LOOPBACK_ONLY else "anywhere"
        raise BadSetting(f"GATEHOUSE_MASTER_KEY is a well-known one, which is not accepted {where}.")
    if len(key) < SHORTEST_MASTER_KEY and not local:
        raise BadSetting(
            f"GATEHOUSE_MASTER_KEY has fewer than {SHORTEST_MASTER_KEY} characters, "
            "which is not accepted while others can reach this gateway."
        )


def is_secret_key(text: str) -> bool:
    """True for 32 bytes of URL-safe base64 that are not all alike."""
    try:
        raw = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return False
    return len(raw) == SECRET_KEY_BYTES and len(set(raw)) > 1
