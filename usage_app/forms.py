"""Forms of the window."""

from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _


class SignInForm(AuthenticationForm):
    """Name and password; one sentence for whatever was wrong, so that names cannot be guessed."""

    error_messages = {
        "invalid_login": _("That name and password do not belong together. Passwords are case-sensitive."),
        "inactive": _("That name and password do not belong together. Passwords are case-sensitive."),
    }

    def __init__(self, request: HttpRequest | None = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.fields["username"].label = _("Name")
        self.fields["password"].label = _("Password")
        for name in ("username", "password"):
            self.fields[name].widget.attrs["class"] = "gh-input"
