"""What was said in a call, where its service keeps that: encrypted, and only for some days."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class CapturedBody(models.Model):
    """Request and answer of one call, made unreadable by `keys_app.crypto` (its context: 'body:<id>')."""

    request_id = models.UUIDField(primary_key=True, editable=False)
    service_id = models.CharField(max_length=36)
    data = models.TextField()
    captured_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = _("captured body")
        verbose_name_plural = _("captured bodies")
        permissions = [("read_bodies", "Can read what was said in calls")]
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.request_id)
