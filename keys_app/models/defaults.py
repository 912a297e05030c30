"""What a new key starts with in an environment, and where alerts are told."""

from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from gateway_project.clock import uuid7
from keys_app.models.allowances import Budget
from keys_app.models.key import Environment


class EnvironmentDefaults(models.Model):
    """For a new key that names nothing of its own; what it names wins."""

    environment = models.CharField(
        _("environment"), max_length=16, choices=Environment.choices, primary_key=True
    )
    models_allowed = models.JSONField(_("models"), default=list, blank=True)
    key_days = models.PositiveIntegerField(_("keys last, days"), null=True, blank=True)
    budget_nanodollars = models.BigIntegerField(
        _("budget of a key"), null=True, blank=True, validators=[MinValueValidator(0)]
    )
    budget_period = models.CharField(
        _("period"), max_length=16, choices=Budget.Period.choices[:5], default=Budget.Period.MONTH
    )
    requests_per_minute = models.PositiveIntegerField(_("requests a minute"), null=True, blank=True)
    tokens_per_minute = models.PositiveIntegerField(_("tokens a minute"), null=True, blank=True)
    parallel = models.PositiveIntegerField(_("calls at once"), null=True, blank=True)

    class Meta:
        verbose_name = _("defaults of an environment")
        verbose_name_plural = _("defaults of environments")

    def __str__(self) -> str:
        return self.get_environment_display()


class AlertTarget(models.Model):
    """Where alerts go: an address for mail, or one that takes a signed POST or a Slack message."""

    class Kind(models.TextChoices):
        EMAIL = "email", _("E-mail")
        WEBHOOK = "webhook", _("Webhook")
        SLACK = "slack", _("Slack")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=120)
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    address = models.CharField(_("address"), max_length=500)
    secret_encrypted = models.TextField(blank=True, editable=False)  # signs a webhook's POST
    service = models.ForeignKey(
        "keys_app.Service",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="alert_targets",
        verbose_name=_("service"),
        help_text=_("Only alerts of this service; empty: all of them."),
    )
    is_enabled = models.BooleanField(_("enabled"), default=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("alert target")
        verbose_name_plural = _("alert targets")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
