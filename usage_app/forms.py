"""Forms of the window."""

from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _


class SignInForm(AuthenticationForm):
    """Name and password; one sentence for whatever was wrong, so that names cannot be guessed."""

    error_messages = {
        "invalid_login": _("That name and password do not belong together. Passwords are case-sensitive."),
        "inactive": _("That name and password do not belong together. Passwords are case-sensitive."),
    }

    def get_invalid_login_error(self) -> ValidationError:
        """Who tries too often is told so, whether the name exists or not."""
        if self.request is not None and self.request.META.get("gatehouse.sign_in_throttled"):
            return ValidationError(_("Too many attempts: try again in a quarter of an hour."), "throttled")
        return super().get_invalid_login_error()

    def __init__(self, request: HttpRequest | None = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.fields["username"].label = _("Name")
        self.fields["password"].label = _("Password")
        for name in ("username", "password"):
            self.fields[name].widget.attrs["class"] = "gh-input"
        if self.data.get("username"):  # it stands there again: what is to be typed is the password
            self.fields["username"].widget.attrs["autofocus"] = False
            self.fields["password"].widget.attrs["autofocus"] = True
