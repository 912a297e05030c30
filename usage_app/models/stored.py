"""What providers keep for callers under ids of their own: responses, files, batches."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class StoredObject(models.Model):
    """One such thing: whose it is, where it lies, and whether its cost is still to come.

    Ids are the provider's, so that an answer need not be changed; two providers may use the same one.
    """

    class State(models.IntegerChoices):
        """It only ever rises: journals of several workers may tell of it in any order."""

        PENDING = 0, _("Under way")  # its cost comes when it is done
        KEPT = 1, _("Kept")
        GONE = 2, _("Deleted")

    provider_id = models.CharField(max_length=36)
    object_id = models.CharField(max_length=255)
    kind = models.CharField(_("kind"), max_length=16)  # a `records.StoredKind`
    state = models.PositiveSmallIntegerField(_("state"), choices=State.choices)
    owner = models.CharField(_("owner"), max_length=100)  # 'service:<id>/<environment>', 'user:…', 'key:…'
    request_id = models.UUIDField()  # the call that made it
    deployment_id = models.CharField(max_length=36, blank=True)
    model = models.CharField(_("model"), max_length=200, blank=True)
    upstream_model = models.CharField(max_length=200, blank=True)
    charges = models.JSONField(default=list)  # what its cost counts against when it comes
    held_nanodollars = models.BigIntegerField(default=0)  # there, until then
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        verbose_name = _("stored object")
        verbose_name_plural = _("stored objects")
        constraints = [models.UniqueConstraint(fields=["object_id", "provider_id"], name="storedobject_once")]
        indexes = [
            models.Index(fields=["state", "changed_at"], name="storedobject_state"),
            models.Index(fields=["owner", "kind", "created_at"], name="storedobject_owner"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.object_id}"
