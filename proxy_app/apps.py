"""Django's entry for proxy_app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ProxyConfig(AppConfig):
    name = "proxy_app"
    verbose_name = _("Models and providers")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tell the price book what its list calls our kinds of providers."""
        from proxy_app.providers.presets import PRESETS
        from usage_app.pricebook import PRICE_KINDS

        PRICE_KINDS.update(
            {kind: each.price_provider_id for kind, each in PRESETS.items() if each.price_provider_id}
        )
