"""Django's entry for proxy_app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ProxyConfig(AppConfig):
    name = "proxy_app"
    verbose_name = _("Models and providers")
    default_auto_field = "django.db.models.BigAutoField"
