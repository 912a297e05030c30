"""The column of admin lists that tells what was spent, against a budget where there is one."""

from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from keys_app.admin.base import ControlAdmin
from keys_app.admin.marks import column
from keys_app.models import User
from keys_app.spending import TELLERS


class SpendingAdmin(ControlAdmin):
    """A list whose rows were spent by, or of."""

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        changes: ChangeList = super().get_changelist_instance(request)
        tell = TELLERS.get(str(self.model._meta.model_name))
        if tell is not None and isinstance(request.user, User):
            rows = list(changes.result_list)
            cells = tell(rows, request.user)
            for row in rows:
                row.spent_cell = cells.get(str(row.pk))
            changes.result_list = rows
        return changes

    @column(description=_("spent"))
    def spent(self, row: Any) -> SafeString | None:
        return getattr(row, "spent_cell", None)
