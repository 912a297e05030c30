"""Django's entry for keys_app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class KeysConfig(AppConfig):
    name = "keys_app"
    verbose_name = _("Keys and people")
    default_auto_field = "django.db.models.BigAutoField"
