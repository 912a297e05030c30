"""What may be spent and how fast, at each level a call passes."""

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from gateway_project.clock import uuid7


class Scope(models.TextChoices):
    """The level a budget or a limit stands at. All levels apply, always."""

    KEY = "key", _("Key")
    USER = "user", _("User")
    SERVICE = "service", _("Service")
    ENVIRONMENT = "environment", _("Environment")
    MODEL = "model", _("Model")
    PROVIDER = "provider", _("Provider")
    DEPLOYMENT = "deployment", _("Deployment")
    END_USER = "end_user", _("End user")
    GLOBAL = "global", _("Everything")


class Scoped(models.Model):
    """One of key, user, service by reference, or one of the other levels by its name."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    scope = models.CharField(_("scope"), max_length=16, choices=Scope.choices)
    key = models.ForeignKey(
        "keys_app.VirtualKey",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="%(class)ss",
        verbose_name=_("key"),
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="%(class)ss",
        verbose_name=_("user"),
    )
    service = models.ForeignKey(
        "keys_app.Service",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="%(class)ss",
        verbose_name=_("service"),
    )
    target = models.CharField(
        _("name"),
        max_length=200,
        blank=True,
        help_text=_(
            "The environment, model, provider, deployment or end user; empty for an end user: each of them."
        ),
    )
    is_enabled = models.BooleanField(_("enabled"), default=True)
    set_by_manager = models.BooleanField(
        _("set by a manager"), default=False, editable=False, help_text=_("Theirs to change or take away.")
    )
    managed_by = models.CharField(_("managed by"), max_length=64, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        abstract = True


class Budget(Scoped):
    """An amount per period. Hard: calls past it are refused. Soft: it only tells."""

    class Period(models.TextChoices):
        HOUR = "hour", _("Hour")
        DAY = "day", _("Day")
        WEEK = "week", _("Week")
        MONTH = "month", _("Month")
        TOTAL = "total", _("In total")
        EVERY_HOURS = "every_hours", _("Every N hours")
        EVERY_DAYS = "every_days", _("Every N days")

    amount_nanodollars = models.BigIntegerField(_("amount"), validators=[MinValueValidator(0)])
    period = models.CharField(_("period"), max_length=16, choices=Period.choices, default=Period.MONTH)
    every = models.PositiveIntegerField(_("N"), default=1)
    anchor_at = models.DateTimeField(_("counted from"), null=True, blank=True)
    time_zone = models.CharField(
        _("time zone"), max_length=64, blank=True, help_text=_("Empty: the reporting zone.")
    )
    hard = models.BooleanField(_("hard"), default=True)
    alert_percents = models.JSONField(_("tell at percent"), default=list, blank=True)
    extra_nanodollars = models.BigIntegerField(
        _("temporary increase"), default=0, validators=[MinValueValidator(0)]
    )
    extra_until = models.DateTimeField(_("increase ends"), null=True, blank=True)

    class Meta:
        verbose_name = _("budget")
        verbose_name_plural = _("budgets")

    def __str__(self) -> str:
        return f"{self.get_scope_display()} · {self.period_words}"

    @property
    def period_words(self) -> str:
        """The period as a person says it: Month, every 9 days."""
        if self.every > 1 and self.period == self.Period.EVERY_HOURS:
            return _now("every %(count)s hours") % {"count": self.every}
        if self.every > 1 and self.period == self.Period.EVERY_DAYS:
            return _now("every %(count)s days") % {"count": self.every}
        return str(self.Period(self.period.removeprefix("every_").removesuffix("s")).label)


class TopUp(models.Model):
    """Prepaid credit that was added to a budget; the budget's amount is raised with it, never alone."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    budget = models.ForeignKey(Budget, models.CASCADE, related_name="top_ups", verbose_name=_("budget"))
    amount_nanodollars = models.BigIntegerField(_("amount"))
    note = models.CharField(_("note"), max_length=200, blank=True)
    made_by = models.CharField(_("made by"), max_length=150, editable=False)
    made_at = models.DateTimeField(_("made"), auto_now_add=True)

    class Meta:
        verbose_name = _("top-up")
        verbose_name_plural = _("top-ups")
        ordering = ["-made_at"]

    def __str__(self) -> str:
        return f"{self.budget} {self.made_at:%Y-%m-%d}"


class RateLimit(Scoped):
    """How fast: requests and tokens a minute (sliding), calls at once. NULL: no such limit."""

    requests_per_minute = models.PositiveIntegerField(_("requests a minute"), null=True, blank=True)
    tokens_per_minute = models.PositiveIntegerField(_("tokens a minute"), null=True, blank=True)
    input_tokens_per_minute = models.PositiveIntegerField(_("input tokens a minute"), null=True, blank=True)
    output_tokens_per_minute = models.PositiveIntegerField(_("output tokens a minute"), null=True, blank=True)
    parallel = models.PositiveIntegerField(_("calls at once"), null=True, blank=True)

    class Meta:
        verbose_name = _("rate limit")
        verbose_name_plural = _("rate limits")

    def __str__(self) -> str:
        return f"{self.get_scope_display()} · {_now('rate limit')}"
