"""Virtual keys: what an application calls the gateway with. Only hashes are stored."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from gateway_project.clock import uuid7


class Environment(models.TextChoices):
    PRODUCTION = "production", _("Production")
    TEST = "test", _("Test")
    EXPERIMENT = "experiment", _("Experiment")


class VirtualKey(models.Model):
    """A key of a service and/or a user. The secret is shown once; SHA-256 of it is kept."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=120)
    service = models.ForeignKey(
        "keys_app.Service",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="keys",
        verbose_name=_("service"),
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="keys",
        verbose_name=_("user"),
    )
    environment = models.CharField(
        _("environment"), max_length=16, choices=Environment.choices, default=Environment.PRODUCTION
    )
    secret_hash = models.CharField(max_length=64, unique=True, editable=False)  # hex SHA-256
    prefix = models.CharField(max_length=24, editable=False)  # e.g. 'sk-gh-'
    last_four = models.CharField(_("last four"), max_length=4, editable=False, db_index=True)
    previous_hash = models.CharField(max_length=64, null=True, unique=True, editable=False)  # noqa: DJ001
    previous_until = models.DateTimeField(_("old secret works until"), null=True, editable=False)
    models_allowed = models.JSONField(
        _("models"),
        default=list,
        blank=True,
        help_text=_("Names or patterns such as gpt-*; empty: what the service and the owner may use."),
    )
    no_models = models.BooleanField(_("no model at all"), default=False)
    endpoints_allowed = models.JSONField(
        _("endpoints"), default=list, blank=True, help_text=_("For example chat.completions; empty: all.")
    )
    networks = models.JSONField(
        _("networks"), default=list, blank=True, help_text=_("For example 10.0.0.0/8; empty: any address.")
    )
    origins = models.JSONField(
        _("browser origins"),
        default=list,
        blank=True,
        help_text=_("Origins that may call from a browser; empty: none."),
    )
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    blocked_at = models.DateTimeField(_("blocked"), null=True, blank=True)
    blocked_reason = models.CharField(_("reason"), max_length=200, blank=True)
    trusts_identity_headers = models.BooleanField(
        _("trusts identity headers"),
        default=False,
        help_text=_("The end user that a call names counts as the real person."),
    )
    identity_secret_encrypted = models.TextField(default="", blank=True, editable=False)
    reports_cost = models.BooleanField(
        _("reports cost"), default=False, help_text=_("Adds the cost to the usage object of each answer.")
    )
    allows_unpriced = models.BooleanField(_("may use models without a price"), default=False)
    metadata = models.JSONField(default=dict, blank=True, editable=False)  # whatever automation keeps here
    managed_by = models.CharField(_("managed by"), max_length=64, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("created by"),
    )

    class Meta:
        verbose_name = _("virtual key")
        verbose_name_plural = _("virtual keys")
        ordering = ["-id"]  # by time: the ids are

    def __str__(self) -> str:
        return f"{self.name} ({self.hint})"

    @property
    def hint(self) -> str:
        """How the key is recognised without its secret."""
        return f"{self.prefix}…{self.last_four}"


class KeyUse(models.Model):
    """When a key was last used. Written by the ledger process; bumps no policy."""

    key_id = models.UUIDField(primary_key=True)
    last_used_at = models.DateTimeField()
    last_model = models.CharField(max_length=200, blank=True)
    last_client = models.CharField(max_length=120, blank=True)

    class Meta:
        verbose_name = _("key use")
        verbose_name_plural = _("key uses")
