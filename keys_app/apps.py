"""Django's entry for keys_app."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class KeysConfig(AppConfig):
    name = "keys_app"
    verbose_name = _("Keys and people")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from keys_app import sessions
        from keys_app.roles import make_groups

        sessions.connect()
        post_migrate.connect(make_groups, sender=self, dispatch_uid="keys_app.groups")
