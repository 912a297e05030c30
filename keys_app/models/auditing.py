"""The audit log: who changed what, when and from where. Written once, changed never."""

from django.db import models
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from gateway_project.clock import uuid7

#: what entries say was done, as people read it; a verb of an older version stands as it is
VERBS = {
    "added": _("added"),
    "applied": _("applied"),
    "blocked": _("blocked"),
    "changed": _("changed"),
    "deactivated": _("deactivated"),
    "deleted": _("deleted"),
    "ended": _("ended"),
    "ended sessions": _("ended sessions"),
    "given a reset link": _("given a reset link"),
    "imported": _("imported"),
    "increased": _("increased"),
    "invited": _("invited"),
    "moved": _("moved"),
    "read": _("read"),
    "rotated": _("rotated"),
    "set a password": _("set a password"),
    "signed out": _("signed out"),
    "stopped": _("stopped"),
    "topped up": _("topped up"),
    "unblocked": _("unblocked"),
}
#: who acts without being a user
ACTORS = {"master": _("master key"), "system": _("the gateway")}
#: whose objects are named by words of ours, joined by a dot; they are kept in English
_NAMED_BY_WORDS = frozenset({"keys_app.budget", "keys_app.ratelimit"})


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
        verbose_name_plural = _("audit entries")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.actor_told} · {self.verb_told} · {self.object_told}"

    @property
    def actor_told(self) -> str:
        return str(ACTORS.get(self.actor, self.actor))

    @property
    def verb_told(self) -> str:
        return str(VERBS.get(self.verb, self.verb))

    @property
    def object_told(self) -> str:
        """The object's name in the reader's language, as far as it is made of words of ours."""
        if self.kind not in _NAMED_BY_WORDS:
            return self.object_name
        return " · ".join(_now(part) for part in self.object_name.split(" · ") if part)
