"""What a trial brought, as an action's page shows it."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from gateway_project.money import usd_string
from keys_app.admin.acting import Outcome
from proxy_app.probe_result import ProbeResult

#: Code of a trial that failed -> why, in the reader's language; what was said is told beside it.
REASONS = {
    "credential": gettext_lazy("The provider's credential is missing or cannot be used."),
    "credential_refused": gettext_lazy("The provider refused the credential."),
    "needs_model": gettext_lazy("Name the model to ask for."),
    "unknown_kind": gettext_lazy("This kind of provider is not known here."),
    "upstream_address_refused": gettext_lazy("The provider's address is one that may not be called."),
    "upstream_cut": gettext_lazy("The provider ended its answer too early."),
    "upstream_failed": gettext_lazy("The provider failed."),
    "upstream_invalid": gettext_lazy("The provider's answer cannot be read."),
    "upstream_refused": gettext_lazy("The provider refused the request."),
    "upstream_timeout": gettext_lazy("The provider took too long."),
    "upstream_unreachable": gettext_lazy("The provider cannot be reached."),
}


def show(result: ProbeResult) -> Outcome:
    """Sentence and figures; an unknown figure says that it is unknown."""
    rows: list[tuple[str, str]] = []
    if result.duration_ms is not None:
        rows.append((_("Took"), f"{result.duration_ms:,.0f} ms"))
    if result.text:
        rows.append((_("Answer"), result.text))
    if result.ok and result.request_id:
        rows += [
            (_("Input tokens"), _count(result.input_tokens)),
            (_("Output tokens"), _count(result.output_tokens)),
            (_("Cost"), _cost(result.cost_nanodollars)),
        ]
    if result.request_id:
        rows.append((_("Request"), result.request_id))
    if result.models:
        rows.append((_("Models"), ", ".join(model.id for model in result.models)))
    if result.ok:
        models = _("Models to chat with: %(count)s.") % {"count": len(result.models)} if result.models else ""
        return Outcome(True, models, tuple(rows))
    reason = str(REASONS.get(result.code, ""))
    return Outcome(False, reason, tuple(rows), told=f"{result.detail} ({result.code})")


def _count(tokens: int | None) -> str:
    return _("unknown") if tokens is None else f"{tokens:,}"


def _cost(nanodollars: int | None) -> str:
    return _("unknown: no price") if nanodollars is None else f"${usd_string(nanodollars)}"
