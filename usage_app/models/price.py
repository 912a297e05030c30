"""The price book: dated prices from the public list, and the overrides an admin sets."""

from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from gateway_project.clock import uuid7

SANDBOX_KIND = "sandbox"
#: Why a price of the list cannot be charged, as rows keep it -> as people read it.
UNPRICED_REASONS = {
    "the list has no price": _("the list has no price"),
    "not billed by tokens": _("not billed by tokens"),
    "holds at times that cannot be expressed": _("holds at times that cannot be expressed"),
    "no rate is set": _("no rate is set"),
    "Billed by the second.": _("Billed by the second."),
    "billed by input document": _("billed by input document"),
    "billed by input image": _("billed by input image"),
    "billed by input text messages": _("billed by input text messages"),
    "billed by output citation": _("billed by output citation"),
    "billed by output image": _("billed by output image"),
    "billed by output video": _("billed by output video"),
}


class Price(models.Model):
    """What a provider's model costs, in nanodollars per million units, from a date on.

    An override (source 'admin' or a file) wins over the list; one bound to a deployment wins over
    both. `tiers` holds what the plain columns cannot: [{"from_input_tokens": 200001, "input": …}],
    for calls with that many input tokens or more.
    `unit_nanodollars` holds rates of what is no token, by the names of `pricing.UNITS`.
    NULL columns: that kind is billed like its parent kind (cache, audio and reasoning like input or
    output). All NULL and no unit: unpriced.
    """

    class Source(models.TextChoices):
        LIST = "list", _("Public list")
        ADMIN = "admin", _("Set here")
        FILE = "file", _("Configuration file")

    class ServiceTier(models.TextChoices):
        FLEX = "flex", _("Flex tier")
        PRIORITY = "priority", _("Priority tier")
        FAST = "fast", _("Fast tier")
        US = "us", _("US-only inference")
        FAST_US = "fast_us", _("Fast tier, US-only inference")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    provider_kind = models.CharField(_("provider kind"), max_length=32, blank=True)
    model = models.CharField(
        _("model"), max_length=200, help_text=_("The provider's name; may end in * to match a start.")
    )
    deployment_id = models.UUIDField(
        _("deployment"), null=True, blank=True, help_text=_("Only for this deployment.")
    )
    service_tier = models.CharField(
        _("service tier"),
        max_length=16,
        choices=ServiceTier.choices,
        blank=True,
        help_text=_("Only for calls that are served in this tier; else for all whose tier has no price."),
    )
    source = models.CharField(_("source"), max_length=8, choices=Source.choices, default=Source.ADMIN)
    input_nanodollars = models.BigIntegerField(_("input"), null=True, blank=True)
    cache_read_nanodollars = models.BigIntegerField(_("cache read"), null=True, blank=True)
    cache_write_nanodollars = models.BigIntegerField(_("cache write"), null=True, blank=True)
    cache_write_1h_nanodollars = models.BigIntegerField(_("cache write, 1 h"), null=True, blank=True)
    output_nanodollars = models.BigIntegerField(_("output"), null=True, blank=True)
    output_reasoning_nanodollars = models.BigIntegerField(_("reasoning"), null=True, blank=True)
    input_audio_nanodollars = models.BigIntegerField(_("audio input"), null=True, blank=True)
    output_audio_nanodollars = models.BigIntegerField(_("audio output"), null=True, blank=True)
    request_nanodollars = models.BigIntegerField(_("per 1,000,000 requests"), null=True, blank=True)
    unit_nanodollars = models.JSONField(_("other units"), default=dict, blank=True)
    tiers = models.JSONField(_("tiers"), default=list, blank=True)
    unpriced_reason = models.CharField(
        _("not priced because"),
        max_length=200,
        blank=True,
        editable=False,
        help_text=_("The list knows the model, but bills it by something that is not counted here."),
    )
    match = models.JSONField(null=True, blank=True, editable=False)  # the list's rule for names
    list_place = models.PositiveIntegerField(default=0, editable=False)  # the list's order of models
    list_rank = models.PositiveSmallIntegerField(default=0, editable=False)  # of a model's prices: later wins
    daily_from_minute = models.PositiveSmallIntegerField(
        _("from, minutes of the UTC day"), null=True, blank=True
    )
    daily_until_minute = models.PositiveSmallIntegerField(
        _("until, minutes of the UTC day"), null=True, blank=True
    )
    context_window = models.PositiveIntegerField(_("context window"), null=True, blank=True)
    valid_from = models.DateTimeField(_("valid from"), null=True, blank=True)
    valid_until = models.DateTimeField(_("valid until"), null=True, blank=True)
    is_enabled = models.BooleanField(_("enabled"), default=True)
    managed_by = models.CharField(_("managed by"), max_length=64, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("price")
        verbose_name_plural = _("prices")
        ordering = ["provider_kind", "model", "-valid_from"]
        indexes = [models.Index(fields=["provider_kind", "model"], name="price_lookup")]

    def __str__(self) -> str:
        tier = f" ({self.get_service_tier_display()})" if self.service_tier else ""
        return f"{self.provider_kind}/{self.model}{tier}"

    @property
    def source_told(self) -> str:
        """Who says so: the sandbox's are this program's own, and on no list."""
        if self.source == self.Source.LIST and self.provider_kind == SANDBOX_KIND:
            return gettext("Sandbox")
        return self.get_source_display()

    @property
    def why_unpriced(self) -> str:
        """Why it cannot be charged, in the reader's language; '' where it can."""
        return str(UNPRICED_REASONS.get(self.unpriced_reason, self.unpriced_reason))
