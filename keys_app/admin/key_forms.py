"""What is asked for a virtual key: its own form, and the questions before it is rotated or blocked."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from keys_app.admin.fields import LinesField, NetworksField, OriginsField
from keys_app.identity_proof import SHORTEST_SECRET
from keys_app.identity_secrets import set_identity_secret
from keys_app.models import VirtualKey


class KeyForm(forms.ModelForm):  # type: ignore[type-arg]
    models_allowed = LinesField(
        label=_("models"),
        help_text=_(
            "One name or pattern such as gpt-* a line; empty: what the service and the owner may use."
        ),
    )
    endpoints_allowed = LinesField(
        label=_("endpoints"), help_text=_("For example chat.completions; empty: all.")
    )
    networks = NetworksField(label=_("networks"), help_text=_("For example 10.0.0.0/8; empty: any address."))
    origins = OriginsField(
        label=_("browser origins"), help_text=_("Origins that may call from a browser; empty: none.")
    )

    identity_secret = forms.CharField(
        label=_("identity secret"),
        required=False,
        min_length=SHORTEST_SECRET,
        max_length=200,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"}),
        help_text=_(
            "Shared with the application: it signs for whom it calls, and only signed names count. "
            "Written only; empty: the one that is set stays."
        ),
    )
    forget_identity_secret = forms.BooleanField(
        label=_("forget the identity secret"), required=False, widget=UnfoldBooleanSwitchWidget
    )

    class Meta:
        model = VirtualKey
        fields = (
            "name",
            "service",
            "user",
            "environment",
            "models_allowed",
            "no_models",
            "endpoints_allowed",
            "networks",
            "origins",
            "expires_at",
            "trusts_identity_headers",
            "reports_cost",
            "allows_unpriced",
        )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if values.get("trusts_identity_headers"):
            kept = self.instance.identity_secret_encrypted and not values.get("forget_identity_secret")
            if not (values.get("networks") or values.get("identity_secret") or kept):
                self.add_error(
                    "trusts_identity_headers", _("Needs an identity secret, or networks the calls come from.")
                )
        if values.get("identity_secret") or values.get("forget_identity_secret"):
            set_identity_secret(self.instance, values.get("identity_secret", ""))
        return values


class RotateForm(forms.Form):
    """How long the old secret goes on."""

    grace_hours = forms.IntegerField(
        label=_("The old secret works for this many hours more"),
        min_value=0,
        max_value=90 * 24,
        initial=24,
        help_text=_("0: it stops at once."),
        widget=UnfoldAdminIntegerFieldWidget,
    )


class BlockForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"), max_length=200, required=False, widget=UnfoldAdminTextInputWidget
    )
