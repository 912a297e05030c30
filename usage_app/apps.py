"""Django's entry for usage_app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class UsageConfig(AppConfig):
    name = "usage_app"
    verbose_name = _("Usage")
    default_auto_field = "django.db.models.BigAutoField"
