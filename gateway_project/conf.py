"""Gatehouse's own settings, read once from the environment into one frozen object.

`VARIABLES` is the list the documentation is checked against. Standard library only; Django's
settings import this, never the other way round.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gateway_project.env import BadSetting, env_bool, env_choice, env_int, env_list, env_path, env_str

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104
BASE_DIR = Path(__file__).resolve().parent.parent

#: name -> (default as shown in the docs, meaning)
VARIABLES: dict[str, tuple[str, str]] = {
    "GATEHOUSE_HOST": ("127.0.0.1", "Address to listen on."),
    "GATEHOUSE_PORT": ("4000", "Port to listen on."),
    "GATEHOUSE_DATA": ("./data", "Folder of the SQLite file, the journals and the generated secrets."),
    "GATEHOUSE_DATABASE_URL": ("SQLite in the data folder", "PostgreSQL address, `postgres://…`."),
    "DATABASE_URL": ("none", "Used when GATEHOUSE_DATABASE_URL is not set."),
    "REDIS_URL": ("none", "Limits, live updates and health shared by several workers."),
    "GATEHOUSE_WORKERS": ("1", "Worker processes; more than one needs REDIS_URL."),
    "GATEHOUSE_ROLE": ("all", "all, proxy (data plane only) or dashboard (control plane only)."),
    "GATEHOUSE_MASTER_KEY": ("generated", "Management key for automation."),
    "GATEHOUSE_ADMIN_PASSWORD": ("generated, printed once", "Password of the first admin, `admin`."),
    "GATEHOUSE_SECRET_KEYS": ("generated", "Encryption keys, newest first, comma-separated."),
    "GATEHOUSE_CONFIG": ("none", "YAML loaded at every start: ours or LiteLLM's config.yaml."),
    "OPENAI_API_KEY": ("none", "Sets up the provider `openai` when it is missing."),
    "ANTHROPIC_API_KEY": ("none", "Sets up the provider `anthropic` when it is missing."),
    "GEMINI_API_KEY": ("none", "Sets up the provider `gemini` when it is missing."),
    "GATEHOUSE_PUBLIC_URL": ("http://HOST:PORT", "Address in snippets and links; may have a path."),
    "GATEHOUSE_TRUSTED_PROXIES": ("none", "Networks whose X-Forwarded-* headers count."),
    "GATEHOUSE_EMAIL_URL": ("console", "How mail leaves, e.g. `smtp://user:password@host:587`."),
    "GATEHOUSE_TIME_ZONE": ("the machine's", "Reporting time zone, on first start."),
    "GATEHOUSE_ALLOW_PRIVATE_UPSTREAMS": (
        "on while listening on loopback",
        "Default of a provider's *may be private*.",
    ),
    "GATEHOUSE_LIMITS_ON_OUTAGE": (
        "closed",
        "closed: limited keys get 503 while Redis is away; open: serve.",
    ),
    "GATEHOUSE_SNAPSHOT_MAX_AGE": ("3600", "Seconds a restarted worker may serve from its saved snapshot."),
    "GATEHOUSE_MAX_IN_FLIGHT": ("2000", "Calls in flight per worker; past that 503."),
    "GATEHOUSE_DRAIN_SECONDS": ("30", "How long a stopping worker lets calls finish."),
    "GATEHOUSE_LOG_LEVEL": ("INFO", "DEBUG, INFO, WARNING or ERROR."),
    "GATEHOUSE_DEBUG": ("off", "Django's debug pages; for development only."),
    "HTTPS_PROXY": ("none", "The way out through a company's network."),
    "NO_PROXY": ("none", "Hosts that are reached directly."),
    "SSL_CERT_FILE": ("the system's", "CA certificates for upstream connections."),
}


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting of one process, checked. Durations in seconds, sizes in bytes."""

    host: str
    port: int
    data: Path
    database_url: str
    redis_url: str
    workers: int
    role: str
    master_key: str
    admin_password: str
    secret_keys: tuple[str, ...]
    config_file: Path | None
    public_url: str
    trusted_proxies: tuple[str, ...]
    email_url: str
    time_zone: str
    allow_private_upstreams: bool
    limits_fail_open: bool
    snapshot_max_age_s: int
    max_in_flight: int
    drain_s: int
    log_level: str
    debug: bool

    @property
    def journal_dir(self) -> Path:
        return self.data / "journal"

    @property
    def metrics_dir(self) -> Path:
        """Where workers tell each other what they counted."""
        return self.data / "metrics"

    @property
    def trusted_networks(self) -> tuple[Network, ...]:
        return parse_networks(self.trusted_proxies)

    @property
    def serves_data_plane(self) -> bool:
        return self.role in ("all", "proxy")

    @property
    def serves_control_plane(self) -> bool:
        return self.role in ("all", "dashboard")


def listens_on_loopback(host: str) -> bool:
    """True when only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parse_networks(texts: Iterable[str], name: str = "GATEHOUSE_TRUSTED_PROXIES") -> tuple[Network, ...]:
    """Addresses and networks such as 10.0.0.0/8; raises BadSetting for anything else."""
    try:
        return tuple(ipaddress.ip_network(text, strict=False) for text in texts)
    except ValueError as error:
        raise BadSetting(f"{name}: {error}; it takes networks such as 10.0.0.0/8.") from None


def load() -> Config:
    """Read and check the environment; raises BadSetting with a sentence that says the way out."""
    host = env_str("GATEHOUSE_HOST", "127.0.0.1")
    port = env_int("GATEHOUSE_PORT", 4000, minimum=1, maximum=65535)
    data = env_path("GATEHOUSE_DATA", BASE_DIR / "data")
    workers, role, redis_url = _processes()
    trusted_proxies = env_list("GATEHOUSE_TRUSTED_PROXIES")
    parse_networks(trusted_proxies)
    shown_host = "localhost" if listens_on_loopback(host) or host in EVERY_ADDRESS else host
    return Config(
        host=host,
        port=port,
        data=data,
        database_url=env_str("GATEHOUSE_DATABASE_URL") or env_str("DATABASE_URL"),
        redis_url=redis_url,
        workers=workers,
        role=role,
        master_key=(
            env_str("GATEHOUSE_MASTER_KEY")
            or _secret(data, "config_master_key")  # written by prepare from GATEHOUSE_CONFIG
            or _secret(data, "master_key")
        ),
        admin_password=env_str("GATEHOUSE_ADMIN_PASSWORD"),
        secret_keys=env_list("GATEHOUSE_SECRET_KEYS") or _lines(_secret(data, "secret_keys")),
        config_file=_config_file(),
        public_url=env_str("GATEHOUSE_PUBLIC_URL", f"http://{shown_host}:{port}").rstrip("/"),
        trusted_proxies=trusted_proxies,
        email_url=env_str("GATEHOUSE_EMAIL_URL", "consolemail://"),
        time_zone=env_str("GATEHOUSE_TIME_ZONE") or _machine_time_zone(),
        allow_private_upstreams=env_bool("GATEHOUSE_ALLOW_PRIVATE_UPSTREAMS", listens_on_loopback(host)),
        limits_fail_open=env_choice("GATEHOUSE_LIMITS_ON_OUTAGE", "closed", ("closed", "open")) == "open",
        snapshot_max_age_s=env_int("GATEHOUSE_SNAPSHOT_MAX_AGE", 3600),
        max_in_flight=env_int("GATEHOUSE_MAX_IN_FLIGHT", 2000, minimum=1),
        drain_s=env_int("GATEHOUSE_DRAIN_SECONDS", 30, maximum=3600),
        log_level=env_choice("GATEHOUSE_LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")),
        debug=env_bool("GATEHOUSE_DEBUG", False),
    )


def _config_file() -> Path | None:
    text = env_str("GATEHOUSE_CONFIG")
    if not text:
        return None
    path = Path(text).expanduser().absolute()
    if not path.is_file():
        raise BadSetting(f"GATEHOUSE_CONFIG is {text!r}; there is no such file.")
    return path


def _processes() -> tuple[int, str, str]:
    """Workers, role and Redis, which depend on one another."""
    workers = env_int("GATEHOUSE_WORKERS", 1, minimum=1, maximum=256)
    role = env_choice("GATEHOUSE_ROLE", "all", ("all", "proxy", "dashboard"))
    redis_url = env_str("REDIS_URL")
    if workers > 1 and not redis_url:
        raise BadSetting(f"GATEHOUSE_WORKERS is {workers}, which needs REDIS_URL (limits are shared there).")
    if role != "all" and not redis_url:
        raise BadSetting(f"GATEHOUSE_ROLE is {role}, which needs REDIS_URL (live updates travel there).")
    return workers, role, redis_url


@cache
def config() -> Config:
    """This process's settings, read at first use."""
    return load()


def _secret(data: Path, name: str) -> str:
    """A generated secret of the data folder ('' before the first start made it)."""
    try:
        return (data / "secrets" / name).read_text("utf-8").strip()
    except OSError:
        return ""


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _machine_time_zone() -> str:
    """The machine's IANA zone name, or UTC where it cannot be told."""
    if zone := env_str("TZ"):
        return zone
    link = Path("/etc/localtime")
    if link.is_symlink():
        target = str(link.readlink())
        if "zoneinfo/" in target:
            zone = target.split("zoneinfo/", 1)[1]
            return "UTC" if zone in _NAMES_OF_UTC else zone
    return "UTC"


_NAMES_OF_UTC = ("Etc/UTC", "Etc/UCT", "Etc/Universal", "Etc/Zulu", "UCT", "Universal", "Zulu")
