"""The ledger: one Request a client call, one Attempt an upstream try. Written by the ledger process.

Ids are UUIDv7, so their order is the order of arrival; PostgreSQL partitions both tables by them.
No foreign keys: names are copied as they were, ids group, and history outlives what it names.
NULL means unknown, never zero.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Request(models.Model):
    """One client call, complete."""

    class Status(models.TextChoices):
        OK = "ok", _("OK")
        ERROR = "error", _("Error")
        REFUSED = "refused", _("Refused")
        CANCELLED = "cancelled", _("Cancelled")
        TRUNCATED = "truncated", _("Truncated")
        INTERRUPTED = "interrupted", _("Interrupted")

    class UsageSource(models.TextChoices):
        PROVIDER = "provider", _("Provider")
        ESTIMATE = "estimate", _("Estimate")
        NONE = "none", _("None")

    id = models.UUIDField(primary_key=True, editable=False)
    started_at = models.DateTimeField(_("started"))
    finished_at = models.DateTimeField(_("finished"), null=True)
    endpoint = models.CharField(max_length=40)
    format = models.CharField(max_length=24)
    stream = models.BooleanField()
    model = models.CharField(_("model"), max_length=200)
    served_model = models.CharField(max_length=200, blank=True)
    deployment_id = models.CharField(max_length=36, blank=True)
    deployment = models.CharField(max_length=300, blank=True)
    provider_id = models.CharField(max_length=36, blank=True)
    provider = models.CharField(max_length=64, blank=True)
    upstream_model = models.CharField(max_length=200, blank=True)
    key_id = models.CharField(max_length=36, blank=True)
    key_name = models.CharField(max_length=120, blank=True)
    key_hint = models.CharField(max_length=40, blank=True)
    user_id = models.CharField(max_length=36, blank=True)
    user_name = models.CharField(max_length=150, blank=True)
    service_id = models.CharField(max_length=36, blank=True)
    service_name = models.CharField(max_length=120, blank=True)
    environment = models.CharField(max_length=16, blank=True)
    status = models.CharField(_("status"), max_length=12, choices=Status.choices)
    http_status = models.PositiveSmallIntegerField()
    error_code = models.CharField(max_length=64, blank=True)
    error_detail = models.CharField(max_length=1000, blank=True)
    finish_reason = models.CharField(max_length=24, blank=True)
    input_tokens = models.BigIntegerField(null=True)
    cache_read_tokens = models.BigIntegerField(null=True)
    cache_write_tokens = models.BigIntegerField(null=True)
    cache_write_1h_tokens = models.BigIntegerField(null=True)
    output_tokens = models.BigIntegerField(null=True)
    reasoning_tokens = models.BigIntegerField(null=True)
    input_audio_tokens = models.BigIntegerField(null=True)
    output_audio_tokens = models.BigIntegerField(null=True)
    usage_source = models.CharField(max_length=10, choices=UsageSource.choices)
    cost_nanodollars = models.BigIntegerField(null=True)
    price_id = models.CharField(max_length=36, blank=True)
    ttft_ms = models.FloatField(null=True)
    latency_ms = models.FloatField(null=True)
    overhead_ms = models.FloatField(null=True)
    end_user = models.CharField(max_length=200, blank=True)
    session = models.CharField(max_length=200, blank=True)
    client = models.CharField(max_length=120, blank=True)
    tags = models.JSONField(default=list)
    timeline = models.JSONField(default=list)  # [{"name": "admitted", "at_ms": 0.41}, …]
    decision = models.JSONField(default=dict)
    charges = models.JSONField(default=list)  # [{"budget_id": …, "period": "2026-11"}]
    repeated = models.PositiveIntegerField(default=1)
    units = models.JSONField(default=dict)  # {"images:high:1024x1024": 2, "audio_ms": 31500}

    class Meta:
        verbose_name = _("request")
        verbose_name_plural = _("requests")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["key_id", "-id"], name="request_key"),
            models.Index(fields=["service_id", "-id"], name="request_service"),
            models.Index(fields=["user_id", "-id"], name="request_user"),
            models.Index(fields=["model", "-id"], name="request_model"),
            models.Index(fields=["status", "-id"], name="request_status"),
            models.Index(fields=["session", "-id"], name="request_session"),
            models.Index(fields=["end_user", "-id"], name="request_end_user"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Attempt(models.Model):
    """One upstream try of a request. `id` is derived from the request's id and the number."""

    id = models.UUIDField(primary_key=True, editable=False)
    request_id = models.UUIDField()
    number = models.PositiveSmallIntegerField()
    started_at = models.DateTimeField()
    deployment_id = models.CharField(max_length=36, blank=True)
    deployment = models.CharField(max_length=300, blank=True)
    provider_id = models.CharField(max_length=36, blank=True)
    provider = models.CharField(max_length=64, blank=True)
    upstream_model = models.CharField(max_length=200, blank=True)
    status = models.CharField(max_length=12, choices=Request.Status.choices)
    http_status = models.PositiveSmallIntegerField(null=True)
    error_code = models.CharField(max_length=64, blank=True)
    error_detail = models.CharField(max_length=1000, blank=True)
    connect_ms = models.FloatField(null=True)
    headers_ms = models.FloatField(null=True)
    first_content_ms = models.FloatField(null=True)
    duration_ms = models.FloatField(null=True)
    input_tokens = models.BigIntegerField(null=True)
    cache_read_tokens = models.BigIntegerField(null=True)
    cache_write_tokens = models.BigIntegerField(null=True)
    output_tokens = models.BigIntegerField(null=True)
    reasoning_tokens = models.BigIntegerField(null=True)
    cost_nanodollars = models.BigIntegerField(null=True)
    upstream_id = models.CharField(max_length=200, blank=True)
    units = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ["request_id", "number"]
        indexes = [models.Index(fields=["request_id", "number"], name="attempt_request")]

    def __str__(self) -> str:
        return f"{self.request_id} · {self.number}"
