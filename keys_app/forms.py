"""Forms of this app's pages in the window."""

from datetime import datetime
from ipaddress import ip_network
from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.utils.translation import gettext_lazy as _

from gateway_project.clock import now
from keys_app import rights
from keys_app.models import Budget, Environment, Scope, Service, User


class WindowForm(forms.Form):
    """Fields as the window draws them."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for field in self.fields.values():
            if not isinstance(field.widget, forms.CheckboxInput):
                field.widget.attrs["class"] = "gh-input"


class WordsField(forms.CharField):
    """A list as words with spaces or commas between, each once."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, max_length=2000, **options)

    def clean(self, value: Any) -> list[str]:
        return list(dict.fromkeys(super().clean(value).replace(",", " ").split()))


class KeyForm(WindowForm):
    """What a key's owner says of it, new or not. What it may be is checked by `rights`."""

    name = forms.CharField(label=_("Name"), max_length=120)
    models = WordsField(
        label=_("Models"),
        help_text=_("Names or patterns such as gpt-*, with spaces between; empty: what you may use."),
    )


class NewKeyForm(KeyForm):
    """A key of one's own, or of a service one manages."""

    service = forms.ModelChoiceField(
        Service.objects.none(), label=_("Service"), required=False, empty_label=_("My own")
    )
    environment = forms.ChoiceField(label=_("Environment"), choices=Environment.choices)
    days = forms.IntegerField(
        label=_("Works for, days"), required=False, min_value=1, max_value=3650, help_text=_("Empty: no end.")
    )
    budget_usd = forms.DecimalField(
        label=_("Budget in $"), required=False, min_value=0, max_digits=18, decimal_places=9
    )
    budget_period = forms.ChoiceField(
        label=_("per"), choices=Budget.Period.choices[:5], initial=Budget.Period.MONTH
    )
    requests_per_minute = forms.IntegerField(
        label=_("Requests a minute"), required=False, min_value=1, max_value=2**31 - 1
    )

    field_order = ["name", "service", "environment", "models"]

    def __init__(self, person: User, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        services = Service.objects.filter(is_active=True)
        if not person.sees_everything:
            services = services.filter(pk__in=rights.managed_services(person))
        choice = self.fields["service"]
        assert isinstance(choice, forms.ModelChoiceField)
        choice.queryset = services
        if not services.exists():
            del self.fields["service"]


class MemberForm(WindowForm):
    """Somebody for a service, by the whole name or address."""

    person = forms.CharField(label=_("User name or e-mail address"), max_length=254)


class EditKeyForm(KeyForm):
    """What of a key its owner changes."""

    endpoints = WordsField(
        label=_("Endpoints"),
        help_text=_("For example chat.completions, with spaces between; empty: all."),
    )
    networks = WordsField(
        label=_("Networks"),
        help_text=_("For example 10.0.0.0/8, with spaces between; empty: any address."),
    )
    expires_at = forms.DateTimeField(
        label=_("Ends"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=_("Empty: no end."),
    )

    def clean_networks(self) -> list[str]:
        try:
            return [str(ip_network(text, strict=False)) for text in self.cleaned_data["networks"]]
        except ValueError:
            raise forms.ValidationError(_("Takes networks such as 10.0.0.0/8.")) from None

    def clean_expires_at(self) -> datetime | None:
        end: datetime | None = self.cleaned_data["expires_at"]
        if end is not None and end <= now():
            raise forms.ValidationError(_("This time has passed."))
        return end


#: levels within a service as a manager picks them: value -> (scope, name)
LEVELS = {
    "service": (Scope.SERVICE, ""),
    **{environment.value: (Scope.ENVIRONMENT, environment.value) for environment in Environment},
    "end_user": (Scope.END_USER, ""),
}


class LevelForm(WindowForm):
    """What part of a service something is for."""

    level = forms.ChoiceField(
        label=_("For"),
        choices=[
            ("service", _("The whole service")),
            *Environment.choices,
            ("end_user", _("Each end user")),
            ("model", _("One model")),
        ],
    )
    model = forms.CharField(
        label=_("Model"), required=False, max_length=200, help_text=_("Only for one model: its name.")
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if (values.get("level") == "model") != bool(values.get("model")):
            self.add_error("model", _("Only for one model: its name."))
        return values

    def place(self) -> tuple[str, str]:
        """Scope and name of the level."""
        values = self.cleaned_data
        return LEVELS.get(values["level"], (Scope.MODEL, values["model"]))


class BudgetForm(LevelForm):
    amount_usd = forms.DecimalField(label=_("Budget in $"), min_value=0, max_digits=18, decimal_places=9)
    period = forms.ChoiceField(label=_("per"), choices=Budget.Period.choices[:5], initial=Budget.Period.MONTH)
    hard = forms.BooleanField(label=_("Refuse calls past it"), required=False, initial=True)

    field_order = ["level", "model", "amount_usd", "period", "hard"]


class LimitForm(LevelForm):
    requests_per_minute = forms.IntegerField(
        label=_("Requests a minute"), required=False, min_value=1, max_value=2**31 - 1
    )
    tokens_per_minute = forms.IntegerField(
        label=_("Tokens a minute"), required=False, min_value=1, max_value=2**31 - 1
    )
    parallel = forms.IntegerField(label=_("Calls at once"), required=False, min_value=1, max_value=2**31 - 1)
    RATES = ("requests_per_minute", "tokens_per_minute", "parallel")

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        if not self.errors and not any(values.get(name) for name in self.RATES):
            self.add_error(None, _("Set at least one of the limits."))
        return values


class PasswordForm(forms.Form):
    """A new password, twice."""

    password = forms.CharField(
        label=_("New password"),
        widget=forms.PasswordInput(attrs={"class": "gh-input", "autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label=_("The same once more"),
        widget=forms.PasswordInput(attrs={"class": "gh-input", "autocomplete": "new-password"}),
    )

    def __init__(self, user: User, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._user = user

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        password = values.get("password")
        if password and values.get("again") != password:
            self.add_error("again", _("The two differ."))
        elif password:
            try:
                validate_password(password, self._user)
            except forms.ValidationError as error:
                self.add_error("password", error)
        return values
