"""Files that the ledger process writes for people, and questions to the Requests page they keep."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from gateway_project.clock import uuid7


class Export(models.Model):
    """A file that was asked for. `query` is the page's address, `since` and `until` its range as it was.

    It is the owner's alone, and only while they see what they saw when it was written (`sight`).
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        RUNNING = "running", _("Being written")
        DONE = "done", _("Ready")
        FAILED = "failed", _("Failed")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    kind = models.CharField(max_length=12)  # requests, usage
    format = models.CharField(max_length=4)  # csv, xlsx, json
    query = models.TextField(blank=True)
    since = models.DateTimeField()
    until = models.DateTimeField()
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    rows_written = models.BigIntegerField(default=0)
    rows_expected = models.BigIntegerField(null=True)  # by the sums; NULL where they cannot tell
    size_bytes = models.BigIntegerField(default=0)
    parts = models.PositiveIntegerField(default=0)
    sight = models.CharField(max_length=64, blank=True)
    error = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("export")
        verbose_name_plural = _("exports")
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["state"], name="export_open", condition=models.Q(state__in=("waiting", "running"))
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.format}"


class ExportPart(models.Model):
    """A piece of an export's file, deflated. In the database, so that any host can serve it."""

    export = models.ForeignKey(Export, models.CASCADE, related_name="pieces")
    number = models.PositiveIntegerField()
    data = models.BinaryField()

    class Meta:
        verbose_name = _("part of an export")
        verbose_name_plural = _("parts of exports")
        constraints = [models.UniqueConstraint(fields=["export", "number"], name="exportpart_once")]

    def __str__(self) -> str:
        return f"{self.export_id} {self.number}"


class SavedView(models.Model):
    """A question to the Requests page that a person named, to come back to."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    name = models.CharField(_("name"), max_length=60)
    query = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("saved view")
        verbose_name_plural = _("saved views")
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="savedview_once")]

    def __str__(self) -> str:
        return self.name
