"""Sums of the ledger, kept in the transaction that writes the rows. Pages read these, not the rows.

Dimensions are ids ('' where there is none, so that they compare and conflict); names are looked up.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _

from usage_app.histograms import BOUND_COLUMNS, LATENCY_COLUMNS, NO_BOUNDS, TTFT_COLUMNS
from usage_app.models.request import Request


class Quarter(models.Model):
    """When. The first of the columns, as `Day`: PostgreSQL takes a row apart as far as a query needs it,
    and every question is about a time: behind the histograms it took two and a half times as long.
    """

    bucket_at = models.DateTimeField()

    class Meta:
        abstract = True


class Day(models.Model):
    """A day of a series."""

    day = models.DateField()
    zone = models.CharField(max_length=64)

    class Meta:
        abstract = True


class Figures(models.Model):
    """What is summed. Money counts what is known; `unpriced_requests` says how many are not."""

    requests = models.BigIntegerField(default=0)
    unpriced_requests = models.BigIntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    cache_read_tokens = models.BigIntegerField(default=0)
    cache_write_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    reasoning_tokens = models.BigIntegerField(default=0)
    cost_nanodollars = models.BigIntegerField(default=0)
    estimated_cost_nanodollars = models.BigIntegerField(default=0)

    class Meta:
        abstract = True


class Attempts(models.Model):
    """Attempts that failed without being their call's failure, where they were made (`failed_before`).

    A row may have nothing else: the deployment failed, and others served all of its calls. Such lines
    are for who asks for attempts; lists of calls leave them out.
    """

    failed_attempts = models.IntegerField(default=0)

    class Meta:
        abstract = True


class Dimensions(models.Model):
    """What sums are kept by. The cost of interrupted calls is that of their status."""

    key_id = models.CharField(max_length=36)
    user_id = models.CharField(max_length=36)
    service_id = models.CharField(max_length=36)
    environment = models.CharField(max_length=16)
    model = models.CharField(max_length=200)
    deployment_id = models.CharField(max_length=36)
    provider_id = models.CharField(max_length=36)
    status = models.CharField(max_length=12, choices=Request.Status.choices)

    class Meta:
        abstract = True


class Distributions(models.Model):
    """Histograms of latency and time to first token, of calls that reached a provider, and their bounds.

    Before them, exactly: output tokens, and how long their calls took, of those of which both are known.
    """

    timed_output_tokens = models.BigIntegerField(default=0)
    timed_us = models.BigIntegerField(default=0)

    class Meta:
        abstract = True


for _name in (*LATENCY_COLUMNS, *TTFT_COLUMNS):
    Distributions.add_to_class(_name, models.IntegerField(default=0))
for _name, _none in zip(BOUND_COLUMNS, NO_BOUNDS, strict=True):
    Distributions.add_to_class(_name, models.FloatField(default=_none))

DIMENSIONS = (
    "key_id",
    "user_id",
    "service_id",
    "environment",
    "model",
    "deployment_id",
    "provider_id",
    "status",
)


_UNPRICED = models.Q(unpriced_requests__gt=0)


class Rollup(Quarter, Dimensions, Figures, Attempts, Distributions):
    """A quarter of an hour, by when calls began. Kept 90 days."""

    class Meta:
        verbose_name = _("quarter hour")
        verbose_name_plural = _("quarter hours")
        constraints = [models.UniqueConstraint(fields=["bucket_at", *DIMENSIONS], name="rollup_once")]
        indexes = [
            models.Index(fields=["user_id", "bucket_at"], name="rollup_user"),
            models.Index(fields=["service_id", "bucket_at"], name="rollup_service"),
            # Few: what budgets look for, over any time.
            models.Index(fields=["bucket_at"], name="rollup_unpriced", condition=_UNPRICED),
        ]

    def __str__(self) -> str:
        return f"{self.bucket_at:%Y-%m-%d %H:%M}"


class DayRollup(Day, Dimensions, Figures, Attempts, Distributions):
    """A day of one series: the reporting zone's days, or UTC's. Kept for good."""

    class Meta:
        verbose_name = _("day")
        verbose_name_plural = _("days")
        constraints = [models.UniqueConstraint(fields=["zone", "day", *DIMENSIONS], name="dayrollup_once")]
        indexes = [
            # Narrow: the unique one is so wide that PostgreSQL reads all days there are for a month of them.
            models.Index(fields=["zone", "day"], name="dayrollup_day"),
            models.Index(fields=["user_id", "zone", "day"], name="dayrollup_user"),
            models.Index(fields=["service_id", "zone", "day"], name="dayrollup_service"),
            models.Index(fields=["zone", "day"], name="dayrollup_unpriced", condition=_UNPRICED),
        ]

    def __str__(self) -> str:
        return f"{self.day} ({self.zone})"


class ClaimRollup(Figures):
    """A day's sums by what callers claim: tag, end user, client.

    At most 1,000 values a kind and day; the rest share the value ''. Tags have no total: a call
    may carry several.
    """

    class Kind(models.TextChoices):
        TAG = "tag", _("Tag")
        END_USER = "end_user", _("End user")
        CLIENT = "client", _("Client")

    zone = models.CharField(max_length=64)
    day = models.DateField()
    kind = models.CharField(max_length=8, choices=Kind.choices)
    value = models.CharField(max_length=200)
    service_id = models.CharField(max_length=36)
    model = models.CharField(max_length=200)
    environment = models.CharField(max_length=16)

    class Meta:
        verbose_name = _("claims of a day")
        verbose_name_plural = _("claims of days")
        constraints = [
            models.UniqueConstraint(
                fields=["zone", "day", "kind", "value", "service_id", "model", "environment"],
                name="claimrollup_once",
            )
        ]
        indexes = [models.Index(fields=["kind", "day"], name="claimrollup_unpriced", condition=_UNPRICED)]

    def __str__(self) -> str:
        return f"{self.day} {self.kind} {self.value}"


class ReportingSeries(models.Model):
    """A series of days: its zone, and the first day that is whole in it."""

    zone = models.CharField(max_length=64, unique=True)
    since_day = models.DateField()
    is_reporting = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("series of days")
        verbose_name_plural = _("series of days")

    def __str__(self) -> str:
        return self.zone


class KnownName(models.Model):
    """The last name a thing had in the ledger: what has been deleted is still called something."""

    kind = models.CharField(max_length=12)  # key, user, service, deployment, provider
    ref = models.CharField(max_length=36)
    name = models.CharField(max_length=300)
    detail = models.CharField(max_length=64, blank=True)  # a key's hint

    class Meta:
        verbose_name = _("known name")
        verbose_name_plural = _("known names")
        constraints = [models.UniqueConstraint(fields=["kind", "ref"], name="knownname_once")]

    def __str__(self) -> str:
        return self.name
