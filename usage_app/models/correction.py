"""A correction of what calls were charged, by what the price book says of them now."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from gateway_project.clock import uuid7
from usage_app.models.price import Price

#: Of an `Adjustment`: it and the correction's id.
CORRECTION_CAUSE = "price:"


class PriceCorrection(models.Model):
    """Its effect is computed and shown first; applied, it is one adjustment a call. The calls' rows stay."""

    class State(models.TextChoices):
        WAITING = "waiting", _("Being computed")
        MEASURED = "measured", _("Not applied")
        APPLYING = "applying", _("Being applied")
        WRITING = "writing", _("Being applied")  # what was shown was found again; the entries are written
        APPLIED = "applied", _("Applied")
        FAILED = "failed", _("Failed")

    #: A process is, or will be, at work on it.
    OPEN = (State.WAITING, State.APPLYING, State.WRITING)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    price = models.ForeignKey(Price, models.CASCADE, related_name="corrections", verbose_name=_("price"))
    since = models.DateTimeField()
    until = models.DateTimeField()
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.WAITING)
    asked_by = models.CharField(max_length=150)
    applied_by = models.CharField(max_length=150, blank=True)
    calls = models.BigIntegerField(default=0)  # whose cost changes
    newly_priced = models.BigIntegerField(default=0)  # of them, calls whose cost was unknown
    charged_nanodollars = models.BigIntegerField(default=0)  # of them so far
    difference_nanodollars = models.BigIntegerField(default=0)
    #: {"lines": [...], "rest": [lines not listed, calls, charged, difference] or [],
    #: "budgets": [[budget id, period, nanodollars], ...], "left_out": {why: calls}}
    effect = models.JSONField(default=dict)
    error = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    applied_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("correction of prices")
        verbose_name_plural = _("corrections of prices")
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["state"],
                name="correction_open",
                condition=models.Q(state__in=("waiting", "applying", "writing")),
            )
        ]

    def __str__(self) -> str:
        return f"{self.price} {self.since:%Y-%m-%d} – {self.until:%Y-%m-%d}"

    @property
    def is_moving(self) -> bool:
        return self.state in self.OPEN

    @property
    def corrected_nanodollars(self) -> int:
        """What the calls cost with it."""
        return self.charged_nanodollars + self.difference_nanodollars
