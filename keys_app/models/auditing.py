"""The audit log: who changed what, when and from where. Written once, changed never."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from gateway_project.clock import uuid7


class AuditEntry(models.Model):
    """One change. Names are copied, so that the entry outlives what it tells of; secrets are masked."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    at = models.DateTimeField(_("when"), auto_now_add=True, db_index=True)
    actor_id = models.CharField(max_length=36, blank=True)
    actor = models.CharField(_("who"), max_length=150)
    address = models.CharField(_("from"), max_length=64, blank=True)
    verb = models.CharField(_("did"), max_length=40)
    kind = models.CharField(_("kind"), max_length=60)
    object_id = models.CharField(max_length=64, blank=True, db_index=True)
    object_name = models.CharField(_("what"), max_length=200, blank=True)
    changes = models.JSONField(_("changes"), default=dict)  # field -> [before, after] or []

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit log")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.actor} {self.verb} {self.object_name}"
