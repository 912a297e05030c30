"""A provider: an address, a wire format by its kind, and an encrypted credential."""

from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from gateway_project.clock import uuid7


def validate_base_url(text: str) -> None:
    """A web address with a host; single-word hosts are usual inside a network."""
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - raises for a port that is no number
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValidationError(_("Enter an address such as https://api.example.com/v1."))
    if parts.username or parts.query or parts.fragment:
        raise ValidationError(_("The address may have no user name, query or fragment."))


class Provider(models.Model):
    """Where deployments send their calls. `kind` names a preset of `proxy_app.providers`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.SlugField(_("name"), max_length=64, unique=True)
    kind = models.CharField(_("kind"), max_length=32)
    base_url = models.CharField(
        _("base address"),
        max_length=400,
        blank=True,
        validators=[validate_base_url],
        help_text=_("Empty: the kind's own address."),
    )
    settings = models.JSONField(
        _("settings"), default=dict, blank=True, help_text=_("What the kind's address is made of.")
    )
    credential_encrypted = models.TextField(blank=True, editable=False)
    credential_hint = models.CharField(_("credential"), max_length=24, blank=True, editable=False)
    may_be_private = models.BooleanField(
        _("may be a private address"),
        default=False,
        help_text=_("Loopback and private networks; cloud metadata addresses never."),
    )
    is_enabled = models.BooleanField(_("enabled"), default=True)
    connect_timeout_s = models.FloatField(_("connect timeout"), null=True, blank=True)
    first_content_timeout_s = models.FloatField(_("first content timeout"), null=True, blank=True)
    idle_timeout_s = models.FloatField(_("idle timeout"), null=True, blank=True)
    total_timeout_s = models.FloatField(_("total timeout"), null=True, blank=True)
    managed_by = models.CharField(_("managed by"), max_length=64, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("provider")
        verbose_name_plural = _("providers")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
