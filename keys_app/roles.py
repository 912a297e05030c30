"""What a role means to Django: an admin may do everything in /admin, nobody else may open it."""

from keys_app.models import User


def apply_role(user: User) -> None:
    """Set Django's flags from the role, on the object only; save it afterwards."""
    user.is_staff = user.is_superuser = user.role == User.Role.ADMIN
