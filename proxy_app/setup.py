"""What `manage.py prepare` does at every start, in order; the second time it changes nothing."""

from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gateway_project.conf import Config, config
from keys_app.heartbeat import refuse_second_admitter
from keys_app.starting import first_admin, is_first_start, starter_key
from proxy_app.models import Provider
from proxy_app.setup_catalogue import ensure_environment_providers, ensure_sandbox
from proxy_app.setup_config import apply_config_file
from proxy_app.setup_database import one_at_a_time, prepare_database
from proxy_app.setup_static import prepare_static
from usage_app.models import Price

FIRST_MODEL = "sandbox"


@dataclass(slots=True)
class Prepared:
    """What the banner shows; secrets are there on the first start only."""

    admin_password: str | None = None
    key: str | None = None
    notices: list[str] = field(default_factory=list)
    providers: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "admin_password": self.admin_password,
            "key": self.key,
            "model": FIRST_MODEL,
            "notices": self.notices,
            "providers": self.providers,
        }


def prepare() -> Prepared:
    """Make ready what is missing. Raises SetupFailed or BadSetting with a sentence."""
    settings = config()
    done = Prepared()
    with one_at_a_time():
        prepare_database()
        refuse_second_admitter(settings)
        prepare_static()
        prepare_prices(settings)
        ensure_sandbox()
        done.notices += apply_config_file(settings)
        for name in ensure_environment_providers():
            done.notices.append(f"The provider {name} was set up from its key in the environment.")
        if is_first_start():
            done.admin_password = first_admin()
            done.key = starter_key()
            if done.admin_password is None:
                done.notices.append("The first admin is admin, with the password GATEHOUSE_ADMIN_PASSWORD.")
    done.providers = list(
        Provider.objects.filter(is_enabled=True).exclude(kind="sandbox").values_list("name", flat=True)
    )
    return done


def prepare_prices(settings: Config) -> bool:
    """Bring the public list's prices up to date when the list changed. True when they were synced."""
    stamp = Path(settings.data) / "prices-version"
    wanted = version("genai-prices")
    try:
        known = stamp.read_text("utf-8").strip()
    except OSError:
        known = ""
    if known == wanted and Price.objects.filter(source=Price.Source.LIST).exists():
        return False
    from usage_app.pricebook_sync import sync_list_prices  # slow to import: only when the list changed

    sync_list_prices()
    stamp.write_text(wanted + "\n", "utf-8")
    return True
