"""Why a call took the time it took, or how it ended, in a sentence. Pure: row, attempts, percentiles.

The culprit is the phase that took most beyond what is usual for this model: a retry, the wait for
the first token, the writing of the answer, or the gateway itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from usage_app.figures import THIN_SPACE, duration, grouped
from usage_app.figures import usual as usually
from usage_app.histograms import BOUNDS_MS
from usage_app.models import Attempt, Request

Tone = Literal["ok", "slow", "error", "stopped"]
Phase = Literal["", "retry", "wait", "stream", "gateway"]

#: How a cancelled call ended where it was its client that left.
_CLIENT_LEFT = ("", "client_gone")
#: The gateway's own share that is worth no remark.
_USUAL_OVERHEAD_MS = 10.0
#: With fewer recent calls than this none is usual: a first call is like all calls, which are it.
ENOUGH_TO_COMPARE = 5
#: A call is slow from this factor over the median on, and by at least so much.
_SLOW_FACTOR, _SLOW_BY_MS = 1.5, 300.0
#: From this share on a phase took nearly all of a call.
_NEARLY_ALL = 0.95


@dataclass(frozen=True, slots=True)
class Usual:
    """What calls of this model took lately; None where too few are known."""

    latency_p50_ms: float | None = None
    ttft_p50_ms: float | None = None
    latency_p95_ms: float | None = None
    calls: int = 0


@dataclass(frozen=True, slots=True)
class Spent:
    """Where a call's time went, in milliseconds."""

    total: float
    retry: float
    wait: float
    stream: float
    gateway: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """`phase` names the culprit of a slow call; `remarks` follow the sentence."""

    tone: Tone
    sentence: str
    phase: Phase = ""
    remarks: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return " ".join((self.sentence, *self.remarks))


def judge(row: Request, attempts: Sequence[Attempt], usual: Usual) -> Verdict:
    """The verdict on one call."""
    spent = time_spent(row, attempts)
    if row.status == Request.Status.OK:
        return _on_success(row, attempts, usual, spent)
    tone: Tone = "stopped" if row.status in ("cancelled", "refused") else "error"
    return Verdict(tone, _how_it_ended(row, attempts, spent), "", _remarks(spent, attempts, ""))


def time_spent(row: Request, attempts: Sequence[Attempt]) -> Spent:
    """Split a call's latency; what the marks do not tell counts as waiting."""
    total = row.latency_ms or 0.0
    gateway = min(row.overhead_ms or 0.0, total)
    retry = sum(attempt.duration_ms or 0.0 for attempt in attempts[:-1])
    last = attempts[-1] if attempts else None
    if row.ttft_ms is not None:
        stream = max(0.0, total - row.ttft_ms) if row.stream else 0.0
    elif last is not None and last.first_content_ms is not None and last.duration_ms is not None:
        stream = max(0.0, last.duration_ms - last.first_content_ms)
    else:
        stream = 0.0
    wait = max(0.0, total - gateway - retry - stream)
    return Spent(total, min(retry, total), wait, stream, gateway)


def _on_success(row: Request, attempts: Sequence[Attempt], usual: Usual, spent: Spent) -> Verdict:
    phase = _culprit(spent, usual)
    provider = row.provider or _("the provider")
    cause = {
        "wait": _wait_cause(row, provider, usual, spent),
        "stream": _stream_cause(row, provider, spent),
        "retry": _("failed attempts before it took %(time)s") % {"time": duration(spent.retry)},
        "gateway": _("the gateway itself took %(time)s") % {"time": duration(spent.gateway)},
    }[phase]
    if usual.latency_p50_ms is None:
        if max(spent.retry, spent.wait, spent.stream, spent.gateway) > spent.total / 2:
            sentence = _("It took %(total)s, most of it because %(cause)s. Too few recent calls to compare.")
        else:
            sentence = _("It took %(total)s; %(cause)s. Too few recent calls to compare.")
        return Verdict(
            "ok",
            sentence % {"total": duration(spent.total), "cause": cause},
            phase,
            _remarks(spent, attempts, phase),
        )
    if spent.total >= max(usual.latency_p50_ms * _SLOW_FACTOR, usual.latency_p50_ms + _SLOW_BY_MS):
        sentence = _("Slow because %(cause)s.") % {"cause": cause}
        if phase != "wait":  # which has told what is usual
            sentence = _("Slow because %(cause)s; %(half)s.") % {
                "cause": cause,
                "half": _half_of_calls(usual.latency_p50_ms),
            }
        return Verdict("slow", sentence, phase, _remarks(spent, attempts, phase))
    return Verdict("ok", _as_usual(row, spent, usual.latency_p50_ms), "", _remarks(spent, attempts, ""))


def _as_usual(row: Request, spent: Spent, usual_ms: float) -> str:
    """With where the most of it went, since a usual time may be long."""
    waiting = _("waiting for the first token") if row.stream else _("waiting for the answer")
    part, doing = max(
        (spent.wait, waiting),
        (spent.stream, _("writing the answer")),
        (spent.retry, _("failed attempts")),
        (spent.gateway, _("the gateway's own work")),
    )
    if part >= _NEARLY_ALL * spent.total:
        sentence = _("As usual: it took %(total)s, nearly all of it %(doing)s; %(half)s.")
    else:
        sentence = _("As usual: it took %(total)s, %(part)s of it %(doing)s; %(half)s.")
    return sentence % {
        "total": duration(spent.total),
        "part": duration(part),
        "doing": doing,
        "half": _half_of_calls(usual_ms),
    }


def _half_of_calls(usual_ms: float) -> str:
    """What half of a model's calls take; of the first and the last bucket one bound is known."""
    if usual_ms <= BOUNDS_MS[0]:
        words = _("half of this model's calls take less than %(usual)s")
    elif usual_ms > BOUNDS_MS[-1]:
        words = _("half of this model's calls take more than %(usual)s")
    else:
        words = _("half of this model's calls take up to %(usual)s")
    return words % {"usual": usually(usual_ms).lstrip(f"<>{THIN_SPACE}")}


def _culprit(spent: Spent, usual: Usual) -> Literal["retry", "wait", "stream", "gateway"]:
    """The part that took the longest beyond what is usual; without anything to compare, the longest."""
    known = usual.latency_p50_ms is not None
    ttft, latency = usual.ttft_p50_ms or 0.0, usual.latency_p50_ms or 0.0
    excess: dict[Literal["retry", "wait", "stream", "gateway"], float] = {
        "wait": spent.wait - (ttft if spent.stream else max(ttft, latency)),
        "stream": spent.stream - max(0.0, latency - ttft),
        "retry": spent.retry,
        "gateway": spent.gateway - (_USUAL_OVERHEAD_MS if known else 0.0),
    }
    return max(excess, key=lambda phase: excess[phase])


def _wait_cause(row: Request, provider: str, usual: Usual, spent: Spent) -> str:
    if not row.stream:
        if usual.latency_p50_ms is None:
            return _("%(provider)s took %(time)s to answer") % {
                "provider": provider,
                "time": duration(spent.wait),
            }
        return _("%(provider)s took %(time)s to answer (its p50 here is %(usual)s)") % {
            "provider": provider,
            "time": duration(spent.wait),
            "usual": usually(usual.latency_p50_ms),
        }
    if usual.ttft_p50_ms is None:
        return _("%(provider)s took %(time)s to the first token") % {
            "provider": provider,
            "time": duration(spent.wait),
        }
    return _("%(provider)s took %(time)s to the first token (its p50 here is %(usual)s)") % {
        "provider": provider,
        "time": duration(spent.wait),
        "usual": usually(usual.ttft_p50_ms),
    }


def _stream_cause(row: Request, provider: str, spent: Spent) -> str:
    if row.output_tokens and spent.stream:
        speed = row.output_tokens / (spent.stream / 1000)
        return _("%(provider)s wrote %(tokens)s tokens in %(time)s (%(speed)s tokens a second)") % {
            "provider": provider,
            "tokens": grouped(row.output_tokens),
            "time": duration(spent.stream),
            "speed": grouped(round(speed)),
        }
    return _("%(provider)s wrote for %(time)s") % {"provider": provider, "time": duration(spent.stream)}


def _remarks(spent: Spent, attempts: Sequence[Attempt], named: str) -> tuple[str, ...]:
    """What the sentence has not said yet: the gateway's share, and what retries cost."""
    said = []
    if named != "gateway" and spent.total:
        said.append(_("The gateway added %(time)s.") % {"time": duration(spent.gateway)})
    failed = len(attempts) - 1
    if named != "retry" and failed > 0:
        text = ngettext("One retry cost %(time)s.", "%(count)s retries cost %(time)s.", failed)
        said.append(text % {"time": duration(spent.retry), "count": failed})
    return tuple(said)


def _how_it_ended(row: Request, attempts: Sequence[Attempt], spent: Spent) -> str:
    told = row.error_detail or row.error_code or _("no reason was given")
    where = {
        "provider": row.provider or _("the provider"),
        "time": duration(spent.total),
        "told": told,
        "http": row.http_status,
        "tokens": grouped(row.output_tokens or 0),
    }
    if row.status == Request.Status.REFUSED:
        return _("Refused before any provider was asked: %(told)s") % where
    if row.status == Request.Status.CANCELLED and row.error_code in _CLIENT_LEFT:
        return _("The client went away after %(time)s; %(tokens)s tokens had been written.") % where
    if row.status == Request.Status.CANCELLED:
        return _("Ended after %(time)s; %(tokens)s tokens had been written: %(told)s") % where
    if row.status == Request.Status.TRUNCATED:
        return _("%(provider)s broke off after %(time)s and %(tokens)s tokens: %(told)s") % where
    if row.status == Request.Status.INTERRUPTED:
        return _("A gateway process ended while this call was open; tokens and cost are estimates.")
    if attempts and attempts[-1].http_status:
        where["http"] = attempts[-1].http_status or row.http_status
        return _("Failed because %(provider)s answered %(http)s: %(told)s") % where
    return _("Failed after %(time)s: %(told)s") % where
