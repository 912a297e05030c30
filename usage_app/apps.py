"""Django's entry for usage_app."""

from typing import Any

from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.utils.translation import gettext_lazy as _


class UsageConfig(AppConfig):
    name = "usage_app"
    verbose_name = _("Usage")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Give sums their room, and tell the lists of keys_app what was spent."""
        from keys_app.models import Scope
        from keys_app.spending import TELLERS
        from usage_app.spending import tell_budgets, tell_months, tell_shares, teller_of

        connection_created.connect(give_room, dispatch_uid="usage_app.give_room")
        TELLERS.update(
            virtualkey=teller_of(Scope.KEY),
            user=teller_of(Scope.USER),
            service=teller_of(Scope.SERVICE),
            budget=tell_budgets,
            my_keys_spent=tell_months,
            my_keys_budget=tell_shares,
        )


def give_room(connection: Any, **_: Any) -> None:
    """Sums of a hundred thousand rows by several columns are made in memory: with PostgreSQL's 4 MB they
    are sorted on the disk first. Whoever gave more keeps it.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('work_mem', '32MB', false) "
                "WHERE pg_size_bytes(current_setting('work_mem')) < pg_size_bytes('32MB')"
            )
