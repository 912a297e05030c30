"""Public models, the deployments that serve them, and where to go when they fail."""

from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from gateway_project.clock import uuid7
from proxy_app.models.provider import Provider


class Model(models.Model):
    """A name that applications ask for. A name ending in * serves every name with that start."""

    class Strategy(models.TextChoices):
        WEIGHTED = "weighted", _("By weight")
        IN_ORDER = "in_order", _("In order")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=200, unique=True)
    aliases = models.JSONField(_("aliases"), default=list, blank=True)
    description = models.CharField(_("description"), max_length=400, blank=True)
    strategy = models.CharField(
        _("strategy"), max_length=16, choices=Strategy.choices, default=Strategy.WEIGHTED
    )
    is_enabled = models.BooleanField(_("enabled"), default=True)
    managed_by = models.CharField(_("managed by"), max_length=64, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("model")
        verbose_name_plural = _("models")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Deployment(models.Model):
    """One way to serve a model: a provider and its own name for the model ({name} keeps the asked one)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    model = models.ForeignKey(Model, models.CASCADE, related_name="deployments", verbose_name=_("model"))
    provider = models.ForeignKey(
        Provider, models.PROTECT, related_name="deployments", verbose_name=_("provider")
    )
    upstream_model = models.CharField(
        _("provider's model"),
        max_length=200,
        help_text=_("The provider's own name; a * takes what the asked name has in its place."),
    )
    weight = models.PositiveIntegerField(_("weight"), default=1)
    order = models.PositiveIntegerField(
        _("order"), default=1, help_text=_("Lower first; equal ones share by weight.")
    )
    is_enabled = models.BooleanField(_("enabled"), default=True)
    requests_per_minute = models.PositiveIntegerField(_("requests a minute"), null=True, blank=True)
    tokens_per_minute = models.PositiveIntegerField(_("tokens a minute"), null=True, blank=True)
    parallel = models.PositiveIntegerField(_("calls at once"), null=True, blank=True)
    connect_timeout_s = models.FloatField(
        _("connect timeout"), null=True, blank=True, validators=[MinValueValidator(0.01)]
    )
    first_content_timeout_s = models.FloatField(
        _("first content timeout"), null=True, blank=True, validators=[MinValueValidator(0.01)]
    )
    idle_timeout_s = models.FloatField(
        _("idle timeout"), null=True, blank=True, validators=[MinValueValidator(0.01)]
    )
    total_timeout_s = models.FloatField(
        _("total timeout"), null=True, blank=True, validators=[MinValueValidator(0.01)]
    )
    quirks = models.JSONField(_("quirks"), default=dict, blank=True)
    tags = models.JSONField(_("tags"), default=list, blank=True)
    managed_by = models.CharField(_("managed by"), max_length=64, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("deployment")
        verbose_name_plural = _("deployments")
        ordering = ["model__name", "order", "-weight", "id"]

    def __str__(self) -> str:
        return f"{self.provider.name}/{self.upstream_model}"


class Fallback(models.Model):
    """Where a model's calls go when its own deployments fail for a cause."""

    class Cause(models.TextChoices):
        ANY = "any", _("Any failure")
        CONTEXT_WINDOW = "context_window", _("Input too long")
        CONTENT_FILTER = "content_filter", _("Content filter")
        BUDGET = "budget", _("Budget used up")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    model = models.ForeignKey(Model, models.CASCADE, related_name="fallbacks", verbose_name=_("model"))
    cause = models.CharField(_("cause"), max_length=16, choices=Cause.choices, default=Cause.ANY)
    target = models.ForeignKey(Model, models.CASCADE, related_name="+", verbose_name=_("goes to"))
    order = models.PositiveIntegerField(_("order"), default=1)
    managed_by = models.CharField(_("managed by"), max_length=64, blank=True, editable=False)

    class Meta:
        verbose_name = _("fallback")
        verbose_name_plural = _("fallbacks")
        ordering = ["model__name", "cause", "order"]
        constraints = [
            models.UniqueConstraint(fields=["model", "cause", "target"], name="fallback_once"),
        ]

    def __str__(self) -> str:
        return f"{self.model} → {self.target}"
