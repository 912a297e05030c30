"""What a trial brought, as an action's page shows it."""

from django.utils.translation import gettext as _

from gateway_project.money import usd_string
from keys_app.admin.acting import Outcome
from proxy_app.probe_result import ProbeResult


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
    if result.code:
        rows.append((_("Code"), result.code))
    return Outcome(ok=result.ok, sentence=result.detail, rows=tuple(rows))


def _count(tokens: int | None) -> str:
    return _("unknown") if tokens is None else f"{tokens:,}"


def _cost(nanodollars: int | None) -> str:
    return _("unknown: no price") if nanodollars is None else f"${usd_string(nanodollars)}"
