"""The audit log: who changed what, when and from where. Nobody edits it."""

import re
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import RangeDateTimeFilter

from keys_app.admin.marks import column, shown_field
from keys_app.admin.told import ToldValuesFilter
from keys_app.models import AuditEntry
from keys_app.models.auditing import ACTORS, VERBS

SHOWN = 4  # changed fields of an entry, in the list
_NOTHING: tuple[Any, ...] = (None, "", [], {})
#: A list or a mapping too long to keep, as `audit` keeps it.
_COUNTED = re.compile(r"(\d+) items")

#: Kinds and names that belong to no row: of calls that were stopped.
_NO_ROWS = {"call": _("call"), "call_id": _("call"), "key_id": _("key"), "service_id": _("service")}

COLOURS = {"added": "success", "changed": "info", "deleted": "danger", "blocked": "danger"}


class EntryFilter(ToldValuesFilter):
    """Verbs, kinds and actors as the list tells them."""

    def told(self, value: str) -> str:
        return _told(self.field_path, value)


@admin.register(AuditEntry)
class AuditEntryAdmin(ModelAdmin):  # type: ignore[misc]
    """Every change made in the admin, in the window, over the API and by commands."""

    list_display = ("at", "who", "came_from", "did", "about", "named", "changed")
    list_filter = (
        ("at", RangeDateTimeFilter),
        ("verb", EntryFilter),
        ("kind", EntryFilter),
        ("actor", EntryFilter),
    )
    list_filter_submit = True
    search_fields = ("object_name", "actor", "object_id", "address")
    readonly_fields = ("at", "who", "address", "done", "about", "shown_id", "named", "changed")
    fields = readonly_fields
    list_per_page = 50
    empty_value_display = _("none")
    show_full_result_count = False

    came_from = shown_field("address", _("address"), _("none"))

    @column(
        description=_("did"),
        label={**dict.fromkeys(VERBS, "default"), **COLOURS},
        ordering="verb",
    )
    def did(self, row: AuditEntry) -> tuple[str, str]:
        return row.verb, row.verb_told

    @column(description=_("did"))
    def done(self, row: AuditEntry) -> str:
        """The word alone: a form shows no labels."""
        return row.verb_told

    @column(description=_("who"), ordering="actor")
    def who(self, row: AuditEntry) -> str:
        return row.actor_told

    @column(description=_("kind"), ordering="kind")
    def about(self, row: AuditEntry) -> str:
        return _told("kind", row.kind)

    @column(description=_("what"), ordering="object_name")
    def named(self, row: AuditEntry) -> str:
        return row.object_told

    @column(description=_("its ID"))
    def shown_id(self, row: AuditEntry) -> str:
        return format_html("<code>{}</code>", row.object_id)

    @column(description=_("changes"))
    def changed(self, row: AuditEntry) -> str | None:
        parts = [(name, values) for name, values in row.changes.items() if _says_something(name, values)]
        changes = ((_change(row, name, values),) for name, values in parts[:SHOWN])
        shown = format_html_join(", ", "{}", changes)
        more = len(parts) - SHOWN
        return format_html("{} +{}", shown, more) if more > 0 else shown or None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _told(field: str, value: str) -> str:
    """A column's code word as people read it."""
    if field == "verb":
        return str(VERBS.get(value, value))
    if field == "actor":
        return str(ACTORS.get(value, value))
    model = _model(value)
    return str(model._meta.verbose_name if model else _NO_ROWS.get(value, value))


def _model(kind: str) -> type[Model] | None:
    try:
        return apps.get_model(kind)
    except (LookupError, ValueError):
        return None


def _change(row: AuditEntry, name: str, values: Any) -> str:
    model = _model(row.kind)
    try:
        field = model._meta.get_field(name) if model else None
    except FieldDoesNotExist:
        field = None  # a kind of rows inside the form, or a field of an older version
    word = getattr(field, "verbose_name", "") or _NO_ROWS.get(name) or _now(name)
    if not isinstance(values, list) or len(values) != 2:
        return str(word)
    before, after = (_short(value, dict(getattr(field, "flatchoices", ()))) for value in values)
    return f"{word}: {before} → {after}"


def _says_something(name: str, values: Any) -> bool:
    """Of what was added: neither its id, which is on its page, nor what stayed empty."""
    is_pair = isinstance(values, list) and len(values) == 2
    return name != "id" and not (is_pair and all(value in _NOTHING for value in values))


def _short(value: Any, words: dict[Any, Any]) -> str:
    if value in _NOTHING:
        return "∅"
    if isinstance(value, bool):
        return _now("yes") if value else _now("no")
    if isinstance(value, str) and (counted := _COUNTED.fullmatch(value)):
        return _now("%(count)s items") % {"count": counted[1]}
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(words.get(value, value))
    return text if len(text) <= 60 else f"{text[:59]}…"
