"""Tables of the window: which columns, in which order, and by which of them one may sort."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import django_tables2 as tables
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from usage_app import figures
from usage_app.late_costs import FULL_COST
from usage_app.marks import cut_name, environment_mark, sandbox_mark, status_mark
from usage_app.models import Request

#: column -> field of the ledger. Everything here is bounded by the range before it is sorted.
SORTABLE = {
    "started": "id",
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cost": FULL_COST,
    "ttft": "ttft_ms",
    "latency": "latency_ms",
    "cache_read_tokens": "cache_read_tokens",
    "overhead": "overhead_ms",
}
DEFAULT_SORT = "-started"
#: What a list shows until somebody chooses.
DEFAULT_COLUMNS = (
    "started",
    "model",
    "key",
    "user",
    "service",
    "status",
    "input_tokens",
    "output_tokens",
    "cost",
    "ttft",
    "latency",
)


@dataclass(frozen=True, slots=True)
class Sort:
    """A checked order."""

    column: str
    descending: bool

    @property
    def field(self) -> str:
        return SORTABLE[self.column]

    @property
    def name(self) -> str:
        return f"-{self.column}" if self.descending else self.column

    def toggled(self, column: str) -> str:
        """What a click on a column's head asks for: largest first, then the other way."""
        if column == self.column:
            return column if self.descending else f"-{column}"
        return f"-{column}"


def parse_sort(text: str) -> Sort:
    column = text.removeprefix("-")
    if column not in SORTABLE:
        text, column = DEFAULT_SORT, DEFAULT_SORT.removeprefix("-")
    return Sort(column, text.startswith("-"))


def parse_columns(texts: Iterable[str]) -> tuple[str, ...]:
    """Columns by name, in the table's order; the time is always there, it is the row's link."""
    wanted = {*texts, "started"}
    chosen = tuple(name for name in RequestTable.base_columns if name in wanted)
    return chosen if len(chosen) > 1 else DEFAULT_COLUMNS


def _column(label: Any) -> tables.Column:
    """A column whose cell is drawn even where the value is unknown: it says so."""
    return tables.Column(verbose_name=label, empty_values=(), accessor="pk")


class RequestTable(tables.Table):  # type: ignore[misc]
    """One row a call. A row is one link: the first cell's, stretched over all of it."""

    started = _column(_("Time"))
    model = _column(_("Model"))
    key = _column(_("Key"))
    user = _column(_("User"))
    service = _column(_("Service"))
    status = _column(_("Outcome"))
    input_tokens = _column(_("Tokens in"))
    output_tokens = _column(_("Tokens out"))
    cost = _column(_("Cost"))
    ttft = _column(_("First token"))
    latency = _column(_("Latency"))
    speed = _column(_("Tokens a second"))
    cache_read_tokens = _column(_("Read from cache"))
    overhead = _column(_("Gateway"))
    deployment = _column(_("Deployment"))
    provider = _column(_("Provider"))
    endpoint = _column(_("Endpoint"))
    client = _column(_("Client"))
    end_user = _column(_("End user"))
    session = _column(_("Session"))
    tags = _column(_("Tags"))

    NUMERIC = frozenset(
        {
            "input_tokens",
            "output_tokens",
            "cost",
            "ttft",
            "latency",
            "speed",
            "cache_read_tokens",
            "overhead",
        }
    )

    class Meta:
        model = Request
        fields: tuple[str, ...] = ()
        orderable = False

    @classmethod
    def of(cls, rows: Iterable[Request], columns: Iterable[str] = DEFAULT_COLUMNS) -> "RequestTable":
        """The table with these columns alone."""
        return cls(rows, exclude=sorted(set(cls.base_columns) - set(columns)))

    def render_started(self, record: Request) -> str:
        address = reverse("ui:request", args=[record.pk])
        local = timezone.localtime(record.started_at)
        return format_html(
            '<a class="gh-row-link" href="{}"><time datetime="{}" title="{}">{} <b>{}</b></time></a>',
            address,
            record.started_at.isoformat(timespec="milliseconds"),
            local.isoformat(timespec="milliseconds"),
            "" if local.date() == timezone.localdate() else date_format(local, gettext("j M")),
            date_format(local, "H:i:s"),
        )

    def render_model(self, record: Request) -> str:
        served = record.served_model if record.served_model not in ("", record.model) else ""
        told = format_html('<span class="gh-served">→ {}</span>', served) if served else ""
        mark = sandbox_mark(record.model) if record.provider == "sandbox" else ""
        return format_html("{}{}{}", _cut_text(record.model), told, mark)

    def render_key(self, record: Request) -> str:
        if not record.key_name:
            return _nobody()
        return format_html(
            '<span class="gh-cut" title="{} {}">{}</span>',
            record.key_name,
            record.key_hint,
            cut_name(record.key_name),
        )

    def render_user(self, record: Request) -> str:
        """An account; without one whom the client names, marked, since anybody's name can stand there."""
        if record.user_name or not record.end_user:
            return _cut_text(record.user_name)
        return format_html(
            '<span class="gh-cut gh-muted" title="{}: {}">{}</span><span class="gh-mark">{}</span>',
            _("End user (as the client says)"),
            record.end_user,
            record.end_user,
            _("end user"),
        )

    def render_service(self, record: Request) -> str:
        mark = environment_mark(record.environment)
        if not record.service_name:
            return format_html("{}{}", _nobody(), mark)
        return format_html("{}{}", _cut_text(record.service_name), mark)

    def render_status(self, record: Request) -> str:
        times = format_html(" ×{}", record.repeated) if record.repeated > 1 else ""
        return format_html(
            "{}{}{}",
            status_mark(record.status, record.get_status_display()),
            times,
            format_html(' <span class="gh-code">{}</span>', record.error_code) if record.error_code else "",
        )

    def render_input_tokens(self, record: Request) -> str:
        return _or_unknown(record.input_tokens, figures.grouped, record)

    def render_output_tokens(self, record: Request) -> str:
        return _or_unknown(record.output_tokens, figures.grouped, record)

    def render_cost(self, record: Request) -> str:
        return cost_of(record)

    def render_ttft(self, record: Request) -> str:
        return _or_unknown(record.ttft_ms, figures.duration, record)

    def render_latency(self, record: Request) -> str:
        return _or_unknown(record.latency_ms, figures.duration, record)

    def render_speed(self, record: Request) -> str:
        if not record.output_tokens or record.latency_ms is None:
            return _nobody()
        streaming_ms = record.latency_ms - (record.ttft_ms or 0 if record.stream else 0)
        return f"{1000 * record.output_tokens / streaming_ms:.0f}" if streaming_ms > 0 else _nobody()

    def render_cache_read_tokens(self, record: Request) -> str:
        return _or_unknown(record.cache_read_tokens, figures.grouped, record)

    def render_overhead(self, record: Request) -> str:
        return _or_unknown(record.overhead_ms, figures.duration, record)

    def render_deployment(self, record: Request) -> str:
        return _cut_text(record.deployment)

    def render_provider(self, record: Request) -> str:
        return _cut_text(record.provider)

    def render_endpoint(self, record: Request) -> str:
        return _cut_text(record.endpoint)

    def render_client(self, record: Request) -> str:
        return _cut_text(record.client)

    def render_end_user(self, record: Request) -> str:
        return _cut_text(record.end_user)

    def render_session(self, record: Request) -> str:
        return _cut_text(record.session)

    def render_tags(self, record: Request) -> str:
        return _cut_text(", ".join(map(str, record.tags)))

    def heads(self, sort: Sort) -> list[dict[str, Any]]:
        """What the template needs of each column's head."""
        direction = "descending" if sort.descending else "ascending"
        return [
            {
                "name": column.name,
                "label": column.header,
                "numeric": column.name in self.NUMERIC,
                "sorted": direction if column.name == sort.column else "",
                "sort": sort.toggled(column.name) if column.name in SORTABLE else "",
            }
            for column in self.columns
        ]


def _or_unknown(value: Any, shown: Callable[[Any], str], record: Request) -> str:
    """A figure; what was refused or failed before an answer has none, all else that is missing is unknown."""
    if value is None:
        word = _("none") if is_unanswered(record) else _("unknown")
        return format_html('<span class="gh-muted">{}</span>', word)
    return shown(value)


def cost_of(record: Request) -> str:
    """What a call cost, the same in every list of calls."""
    if record.cost_nanodollars is None:
        if record.status in (Request.Status.REFUSED, Request.Status.ERROR):
            return format_html('<span class="gh-muted">{}</span>', _("none"))
        return format_html('<span class="gh-warn-text">{}</span>', _("unpriced"))
    estimate = record.usage_source == Request.UsageSource.ESTIMATE
    return format_html(
        '<span title="{}">{}{}</span>',
        figures.exact_money(record.cost_nanodollars),
        "≈ " if estimate else "",
        figures.money(record.cost_nanodollars),
    )


def is_unanswered(record: Request) -> bool:
    """Refused, or failed before a provider answered anything: its counts are not unknown, there are none."""
    failed = record.status == Request.Status.ERROR and not record.cost_nanodollars
    return record.status == Request.Status.REFUSED or (failed and record.ttft_ms is None)


def _cut_text(text: str) -> str:
    if not text:
        return _nobody()
    return format_html('<span class="gh-cut" title="{}">{}</span>', text, cut_name(text))


def _nobody() -> str:
    return format_html('<span class="gh-muted">{}</span>', _("none"))
