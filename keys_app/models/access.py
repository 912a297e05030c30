"""Who may get in besides virtual keys: management keys, links to set a password, sessions, failures."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from gateway_project.clock import uuid7


class ManagementKey(models.Model):
    """A key for automation with scopes such as keys:read; only its hash is stored."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=120)
    secret_hash = models.CharField(max_length=64, unique=True, editable=False)  # hex SHA-256
    last_four = models.CharField(_("last four"), max_length=4, editable=False)
    scopes = models.JSONField(_("scopes"), default=list)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    blocked_at = models.DateTimeField(_("blocked"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    created_by = models.CharField(_("created by"), max_length=150, editable=False)

    class Meta:
        verbose_name = _("management key")
        verbose_name_plural = _("management keys")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} (…{self.last_four})"


class AccessLink(models.Model):
    """A link that lets a person set a password once, made for an invitation or after a forgotten one."""

    class Purpose(models.TextChoices):
        INVITE = "invite", _("Invitation")
        RESET = "reset", _("New password")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="access_links")
    purpose = models.CharField(max_length=8, choices=Purpose.choices)
    token_hash = models.CharField(max_length=64, unique=True)  # hex SHA-256
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("access link")
        verbose_name_plural = _("access links")

    def __str__(self) -> str:
        return f"{self.user} {self.purpose}"


class SignIn(models.Model):
    """A session that a person opened: from where, and whether it was ended."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="sign_ins")
    session_key = models.CharField(max_length=40, unique=True)
    address = models.CharField(_("address"), max_length=64, blank=True)
    client = models.CharField(_("browser"), max_length=200, blank=True)
    began_at = models.DateTimeField(_("signed in"), auto_now_add=True)
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("sessions")
        ordering = ["-began_at"]

    def __str__(self) -> str:
        return f"{self.user} {self.began_at:%Y-%m-%d %H:%M}"


class SignInFailure(models.Model):
    """A password that was wrong, by what it counts against: a digest of an address or of a name."""

    id = models.BigAutoField(primary_key=True)
    subject = models.CharField(max_length=64)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "failed sign-in"
        indexes = [models.Index(fields=["subject", "at"], name="signin_failures")]


class IdempotentAnswer(models.Model):
    """What a change was answered, so that the same Idempotency-Key changes nothing again. Encrypted."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    caller = models.CharField(max_length=80)
    idempotency_key = models.CharField(max_length=200)
    fingerprint = models.CharField(max_length=64)  # of method, path and body
    status = models.PositiveSmallIntegerField(null=True)  # NULL while the change is being made
    answer_encrypted = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        verbose_name = "idempotent answer"
        constraints = [
            models.UniqueConstraint(fields=["caller", "idempotency_key"], name="idempotent_answer_once")
        ]
