"""What the ledger process keeps about its own work, and money that is not on a request's row."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from gateway_project.clock import uuid7


class JournalOffset(models.Model):
    """How far a worker's journal has been written to the database, in the rows' own transaction.

    Calls begun and not ended before the offset are found again by reading from `open_from` on.
    """

    journal = models.CharField(primary_key=True, max_length=120)
    host = models.CharField(max_length=200, blank=True)
    segment = models.PositiveIntegerField(default=1)
    offset = models.BigIntegerField(default=0)
    open_from_segment = models.PositiveIntegerField(default=1)
    open_from_offset = models.BigIntegerField(default=0)
    open_calls = models.PositiveIntegerField(default=0)
    finished_at = models.DateTimeField(null=True)  # the worker is gone, everything is read
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("journal")
        verbose_name_plural = _("journals")

    def __str__(self) -> str:
        return self.journal


class LedgerStatus(models.Model):
    """One row a host: how far its ledger process is behind, and its last self-audit."""

    host = models.CharField(primary_key=True, max_length=200)
    lag_s = models.FloatField(default=0)
    last_batch_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField()
    difference_requests = models.BigIntegerField(default=0)
    difference_nanodollars = models.BigIntegerField(default=0)
    checked_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("ledger status")
        verbose_name_plural = _("ledger status")

    def __str__(self) -> str:
        return self.host


class LedgerSettings(models.Model):
    """One row (id 1): for how long rows are kept and in which zone days are counted."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    keep_requests_days = models.PositiveIntegerField(_("keep requests, days"), default=30)
    keep_quarters_days = models.PositiveIntegerField(_("keep quarter hours, days"), default=90)
    reporting_zone = models.CharField(
        _("reporting time zone"), max_length=64, blank=True, help_text=_("Empty: that of the first start.")
    )

    price_list_version = models.CharField(max_length=32, blank=True, editable=False)

    class Meta:
        verbose_name = _("ledger settings")
        verbose_name_plural = _("ledger settings")

    def __str__(self) -> str:
        return "ledger"


class Adjustment(models.Model):
    """A cost that came after its call was written: a request costs its row plus its adjustments."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    request_id = models.UUIDField()
    cause = models.CharField(max_length=80)
    cost_nanodollars = models.BigIntegerField()
    at = models.DateTimeField()
    charges = models.JSONField(default=list)
    is_applied = models.BooleanField(default=False)  # false while the request is not written yet

    class Meta:
        verbose_name = _("adjustment")
        verbose_name_plural = _("adjustments")
        constraints = [models.UniqueConstraint(fields=["request_id", "cause"], name="adjustment_once")]
        indexes = [
            models.Index(
                fields=["request_id"], name="adjustment_waiting", condition=models.Q(is_applied=False)
            )
        ]

    def __str__(self) -> str:
        return f"{self.request_id} {self.cause}"


class BudgetSpend(models.Model):
    """What a budget was charged in a period, from the charges that end records list; how many calls it
    refused, and when the last of them, with the limit it had then (it may have been raised since).
    """

    budget_id = models.CharField(max_length=36)
    period = models.CharField(max_length=40)
    spent_nanodollars = models.BigIntegerField(default=0)
    requests = models.BigIntegerField(default=0)
    refused_requests = models.BigIntegerField(null=True)
    refused_at = models.DateTimeField(null=True)
    refused_limit_nanodollars = models.BigIntegerField(null=True)

    class Meta:
        verbose_name = _("spend of a budget")
        verbose_name_plural = _("spend of budgets")
        constraints = [models.UniqueConstraint(fields=["budget_id", "period"], name="budgetspend_once")]

    def __str__(self) -> str:
        return f"{self.budget_id} {self.period}"


#: what alerts are about, as people read it; a kind of an older version stands as it is
ALERT_KINDS = {
    "bad_record": _("unreadable record"),
    "batch_lost": _("lost batch"),
    "budget": _("budget"),
    "default_partition": _("requests outside every month"),
    "journal_missing": _("missing journal"),
    "ledger_difference": _("difference in the ledger"),
    "ledger_lag": _("ledger behind"),
}


class Alert(models.Model):
    """Something an operator must know. One open alert a kind and subject, counted."""

    class Level(models.TextChoices):
        WARNING = "warning", _("Warning")
        CRITICAL = "critical", _("Critical")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(_("kind"), max_length=40)
    subject = models.CharField(_("about"), max_length=200, blank=True)
    level = models.CharField(_("level"), max_length=8, choices=Level.choices, default=Level.WARNING)
    detail = models.CharField(_("detail"), max_length=1000, blank=True)
    count = models.PositiveIntegerField(_("times"), default=1)
    first_at = models.DateTimeField(_("first"))
    last_at = models.DateTimeField(_("last"))
    resolved_at = models.DateTimeField(_("resolved"), null=True, blank=True)

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        ordering = ["-last_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject"],
                name="alert_open_once",
                condition=models.Q(resolved_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind_told} {self.subject}".strip()

    @property
    def kind_told(self) -> str:
        return str(ALERT_KINDS.get(self.kind, self.kind))


class AlertDelivery(models.Model):
    """One alert on its way to one target, tried again until it has arrived or was tried too often."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    alert = models.ForeignKey(Alert, models.CASCADE, related_name="deliveries", verbose_name=_("alert"))
    target_id = models.CharField(max_length=36)
    target_name = models.CharField(_("target"), max_length=120)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_at = models.DateTimeField(_("next attempt"), null=True, db_index=True)  # NULL: no more
    delivered_at = models.DateTimeField(_("delivered"), null=True)
    error = models.CharField(_("error"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("delivery of an alert")
        verbose_name_plural = _("deliveries of alerts")
        constraints = [models.UniqueConstraint(fields=["alert", "target_id"], name="alert_told_once")]

    def __str__(self) -> str:
        return f"{self.alert} → {self.target_name}"
