"""Users and the services (applications or teams) they manage or belong to."""

from django.contrib.auth.models import AbstractUser
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.functional import cached_property
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from gateway_project.clock import uuid7

#: what the first service is for; kept in English, shown in the reader's language
STARTER_DESCRIPTION = "For trying the gateway out."


class User(AbstractUser):
    """A person who signs in. The role says what they see; services they belong to say of whom."""

    class Role(models.TextChoices):
        ADMIN = "admin", _("Admin")
        MANAGER = "manager", _("Manager")
        MEMBER = "member", _("Member")
        VIEWER = "viewer", _("Viewer")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    role = models.CharField(
        _("role"),
        max_length=16,
        choices=Role.choices,
        default=Role.MEMBER,
        help_text=_("Admins see and change everything; managers see their services; members see their own."),
    )
    time_zone = models.CharField(
        _("time zone"),
        max_length=64,
        blank=True,
        help_text=_("Instants on pages; empty: the reporting zone."),
    )
    language = models.CharField(
        _("language"), max_length=8, blank=True, help_text=_("Empty: the browser's language.")
    )

    models_allowed = models.JSONField(
        _("models"),
        default=list,
        blank=True,
        help_text=_(
            "Names or patterns such as gpt-*; empty: every model. Holds for all keys of this person."
        ),
    )
    endpoints_allowed = models.JSONField(
        _("endpoints"), default=list, blank=True, help_text=_("For example chat.completions; empty: all.")
    )
    networks = models.JSONField(
        _("networks"), default=list, blank=True, help_text=_("For example 10.0.0.0/8; empty: any address.")
    )
    most_keys = models.PositiveIntegerField(
        _("keys of their own, at most"), default=10, help_text=_("0: only an admin makes keys for them.")
    )
    longest_key_days = models.PositiveIntegerField(
        _("their keys last, days at most"), null=True, blank=True, help_text=_("Empty: without an end.")
    )

    class Meta(AbstractUser.Meta):
        verbose_name = _("user")  # type: ignore[assignment]  # translated when shown
        verbose_name_plural = _("users")  # type: ignore[assignment]

        permissions = [("make_keys", "Can make keys within what an admin allows")]

    @property
    def sees_everything(self) -> bool:
        """Whether usage of every service is this person's to see."""
        return self.is_superuser or self.role == self.Role.ADMIN

    @cached_property
    def manages_services(self) -> bool:
        """Whether there is a service this person has a say in."""
        if self.changes_nothing:
            return False
        return self.sees_everything or self.memberships.filter(role="manager").exists()

    @property
    def changes_nothing(self) -> bool:
        """Whether this person may only look, whatever services they belong to."""
        return not self.is_active or (self.role == self.Role.VIEWER and not self.is_superuser)


class Service(models.Model):
    """An application or a team that calls models; usage and budgets are counted for it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(_("name"), max_length=120, unique=True)
    description = models.CharField(_("description"), max_length=400, blank=True)
    cost_centre = models.CharField(_("cost centre"), max_length=64, blank=True)
    parent = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="children", verbose_name=_("parent")
    )
    is_active = models.BooleanField(
        _("active"), default=True, help_text=_("Keys of an inactive service are refused.")
    )
    models_allowed = models.JSONField(
        _("models"),
        default=list,
        blank=True,
        help_text=_("Names or patterns such as gpt-*; empty: every model."),
    )
    keeps_bodies = models.BooleanField(
        _("keep what is said"),
        default=False,
        help_text=_(
            "Requests and answers of its calls are kept, masked and encrypted, for those who may read them."
        ),
    )
    bodies_days = models.PositiveSmallIntegerField(
        _("for days"), default=7, validators=[MinValueValidator(1), MaxValueValidator(365)]
    )
    people: "models.ManyToManyField[User, Membership]" = models.ManyToManyField(
        User, through="Membership", related_name="services", verbose_name=_("people")
    )
    managed_by = models.CharField(
        _("managed by"), max_length=64, blank=True, editable=False, help_text=_("The file that defines it.")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("service")
        verbose_name_plural = _("services")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def described(self) -> str:
        """The description; the one that the gateway wrote itself in the reader's language."""
        return _now(STARTER_DESCRIPTION) if self.description == STARTER_DESCRIPTION else self.description


class Membership(models.Model):
    """A person's part in a service."""

    class Role(models.TextChoices):
        MANAGER = "manager", _("Manager")
        MEMBER = "member", _("Member")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships", verbose_name=_("user"))
    service = models.ForeignKey(
        Service, models.CASCADE, related_name="memberships", verbose_name=_("service")
    )
    role = models.CharField(_("role"), max_length=16, choices=Role.choices, default=Role.MEMBER)

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [models.UniqueConstraint(fields=["user", "service"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user} · {self.service}"
