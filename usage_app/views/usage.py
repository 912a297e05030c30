"""Usage: who uses how much of what? Two dimensions and time, compared, opened, exported."""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from gateway_project.conf import config
from usage_app import figures
from usage_app.charts import FAILED, MEASURES, OTHER_COLOUR, Layer, chart_data, layers_of
from usage_app.marks import name_in_words, number_cell, opening, share_mark, spend_mark, told
from usage_app.models import Request
from usage_app.pivot import ALL_DIMENSIONS, CLAIM_DIMENSIONS, DIMENSIONS, PivotRow
from usage_app.reports import Totals, totals
from usage_app.reports_claims import CLAIM_COLUMNS
from usage_app.snippets import BY_NAME
from usage_app.usage_question import ACROSS, INTERVALS, Answer, Asker, Question, parse
from usage_app.views.page import PageView

#: In place of what a measure counts: all calls.
NO_MORE: Mapping[str, Sequence[str]] = {}


@dataclass(frozen=True, slots=True)
class ShownCell:
    text: str
    exact: str
    link: str
    is_zero: bool

    @property
    def html(self) -> SafeString:
        return number_cell(self.text, self.exact, self.link, is_zero=self.is_zero)


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A line as the page draws it."""

    row: PivotRow
    link: str
    failed_link: str
    counted_link: str  # the calls that the measure counts
    colour: str
    share: str
    before: str
    change: str
    value: str
    exact: str
    cells: list[ShownCell]

    @property
    def totals(self) -> Totals:
        return self.row.totals


#: Every outcome but that of a call whose end nobody recorded.
FINISHED = tuple(status for status in Request.Status.values if status != Request.Status.INTERRUPTED)


class UsageView(PageView):
    name = "usage"
    title = gettext_lazy("Usage")
    template = "ui/usage.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        question = self.question
        table, drawn = self.answer.table, self.answer.drawn
        layers = layers_of(drawn, self.answer.names) if drawn else []
        rows = self.rows(layers)
        now = table.foot.totals
        shown: dict[str, Any] = {
            "question": question,
            "table": table,
            "rows": rows,
            "rest": self.shown_row(table.rest, {}) if table.rest and not question.overlaps else None,
            "foot": self.shown_row(table.foot, {}),
            "measures": self.measures,
            "by_figures": not question.columns,
            "dimensions": self.dimensions,
            "seconds": self.seconds,
            "columns": self.columns,
            "headline": self.headline(now, rows),
            "parts": self.parts(now),
            "unpriced_link": self.link(table.foot.parameters, {"unpriced": ("1",)}),
            "totals": now,
            "before": self.before if question.compares else None,
            "bounds": self.asker.bounds(question),
            "is_wider": self.is_wider,
            "is_empty": not now.requests,
            "is_untagged": question.overlaps and not rows,
            "names_none": question.is_claim and not question.overlaps,
            "labels": [ALL_DIMENSIONS[name][0] for name in question.dimensions],
        }
        if not now.requests and not self.has_calls:
            shown["first_call"] = BY_NAME["curl"].filled(config().public_url, "sandbox")
        if drawn is not None:
            measure = MEASURES[question.measure]
            zone, interval = self.reporting_zone, self.answer.interval
            parameter = DIMENSIONS[question.first][1]
            shown["chart"] = chart_data(drawn, layers, measure, self.selection, zone, interval, parameter)
        return self.page(**shown)

    @cached_property
    def question(self) -> Question:
        question = parse(self.request.GET, self.selection, self.reporting_zone)
        if question.is_claim and not self.sees_claims:
            return parse({}, self.selection, self.reporting_zone)
        return question

    @cached_property
    def asker(self) -> Asker:
        return Asker(self.selection, self.sight, self.reporting_zone)

    @property
    def is_wider(self) -> bool:
        """Whether claims are told of days that the chosen range cuts; the present cuts nothing."""
        since, until = self.asker.bounds(self.question)
        chosen = self.selection
        return since < chosen.since or (until > chosen.until and not chosen.live)

    @property
    def sees_claims(self) -> bool:
        """The claims' sums know services, not people."""
        return self.sight.everything or bool(self.sight.service_ids)

    @property
    def dimensions(self) -> dict[str, tuple[Any, str]]:
        return ALL_DIMENSIONS if self.sees_claims else DIMENSIONS

    @property
    def seconds(self) -> dict[str, Any]:
        allowed = CLAIM_COLUMNS if self.question.is_claim else DIMENSIONS
        return {name: DIMENSIONS[name][0] for name in allowed if name != self.question.first}

    @property
    def columns(self) -> dict[str, Any]:
        """What may stand across."""
        intervals = {
            name: label for name, label in INTERVALS.items() if name != "hour" or not self.question.is_claim
        }
        across = {ACROSS: ALL_DIMENSIONS[self.question.second][0]} if self.question.second else {}
        return {"": _("Figures"), **intervals, **across}

    @property
    def measures(self) -> dict[str, Any]:
        return {
            name: each.label
            for name, each in MEASURES.items()
            if name != "errors" or not self.question.is_claim
        }

    @cached_property
    def before(self) -> Totals:
        if self.question.is_claim:  # of the same calls as the line of all that it stands beside
            return self.asker.lines(self.question, before=True)[1]
        return totals(*self.selection.before, self.selection.filters, self.sight, durations=False)

    @cached_property
    def answer(self) -> Answer:
        answer = self.asker.answer(self.question, self.interval)
        if self.question.is_claim and not self.question.overlaps:
            answer.table.foot.parameters = None  # no filter leaves the calls that name any client at all
        return answer

    def rows(self, layers: Sequence[Layer]) -> list[ShownRow]:
        colours = {layer.id: layer.colour for layer in layers if layer.colour != OTHER_COLOUR}
        return [self.shown_row(row, colours) for row in self.answer.table.rows]

    def shown_row(self, row: PivotRow, colours: Mapping[str, str]) -> ShownRow:
        measure = MEASURES[self.question.measure]
        value, whole = measure.of(row.totals), measure.of(self.answer.table.foot.totals)
        former = self.former(row) if self.question.compares else None
        return ShownRow(
            row=row,
            link=self.link(row.parameters),
            failed_link=self.link(row.parameters, FAILED),
            counted_link=self.link(row.parameters, measure.counts) if value else "",
            colour=colours.get(row.ids[0], OTHER_COLOUR) if row.ids else "",
            share=share_mark(value, whole, row.totals.unpriced_requests if self.counts_money else 0),
            before="" if former is None else self.text(former),
            change="" if former is None else changed(value, former),
            value=self.text(value, row.totals.unpriced_requests),
            exact=self.exact(value),
            cells=list(self.cells(row)),
        )

    def former(self, row: PivotRow) -> int:
        """The measure in the period before: what a line of now had then, 0 if there was none of it."""
        measure, table = MEASURES[self.question.measure], self.answer.table
        if row is table.foot:
            return measure.of(self.before)
        if row is table.rest:
            return measure.of(self.before) - sum(map(self.former, table.rows))
        return measure.of(row.before) if row.before else 0

    def cells(self, row: PivotRow) -> Iterator[ShownCell]:
        """A line's numbers. Its part of their addresses is written once, as is that of a column."""
        table = self.answer.table
        heads = table.heads
        if row is table.foot and self.question.overlaps:
            yield from (ShownCell("", "", "", False) for _head in heads)
            return
        counts = MEASURES[self.question.measure].counts
        start = self.link(row.parameters, counts, heads[0].parameters) if heads else ""
        start += "" if start.endswith("?") else "&"
        for end, number, unpriced in zip(self.column_links, row.cells, row.unpriced, strict=True):
            is_unknown = self.counts_money and not number and unpriced > 0
            opens = (number or is_unknown) and end and row.parameters is not None
            text = self.text(number, unpriced)
            exact = "" if is_unknown else self.exact(number)
            yield ShownCell(text, exact, start + end if opens else "", not number and not is_unknown)

    @cached_property
    def column_links(self) -> list[str]:
        """What a column adds to an address; '' where it opens nothing."""
        return ["" if head.is_rest else urlencode(head.parameters) for head in self.answer.table.heads]

    @property
    def counts_money(self) -> bool:
        return MEASURES[self.question.measure].unit == "money"

    def text(self, value: int, unpriced: int = 0) -> str:
        return spend_mark(value, unpriced) if self.counts_money else figures.short_count(value)

    def exact(self, value: int) -> str:
        return figures.exact_money(value) if self.counts_money else figures.grouped(value)

    def link(
        self,
        parameters: Mapping[str, str] | None,
        counts: Mapping[str, Sequence[str]] = NO_MORE,
        across: Container[str] = (),
    ) -> str:
        """The calls behind a line, of these those that a measure counts, without what a column adds
        (`across`); '' if nothing opens it."""
        if parameters is None:
            return ""
        chosen = dict(self.selection.exactly)
        if "since" in across:
            chosen.pop("range", None)
        elif self.question.is_claim:
            since, until = self.asker.bounds(self.question)
            chosen.pop("range", None)
            chosen |= {"since": since.isoformat(), "until": until.isoformat()}
        opening: dict[str, str | Sequence[str]] = {**chosen, **parameters, **counts}
        kept = {name: value for name, value in opening.items() if name not in across}
        return "../requests/?" + urlencode(kept, doseq=True)

    def parts(self, now: Totals) -> list[tuple[str, str, str, str, str]]:
        """(name, amount, exact, share, link to the calls) of what the total is made of; the amounts sum to it
        exactly. Where outcomes are not known, what interrupted calls cost is among the estimated.
        """
        knows_outcomes = self.question.overlaps or not self.question.is_claim
        finished = {"status": FINISHED} if knows_outcomes else {}
        parts: list[tuple[str, int, dict[str, Sequence[str]]]] = [
            (
                _("reported by providers"),
                now.reported_cost_nanodollars,
                {**finished, "usage_source": (Request.UsageSource.PROVIDER,)},
            ),
            (
                _("estimated"),
                now.estimated_finished_nanodollars,
                {**finished, "usage_source": (Request.UsageSource.ESTIMATE,)},
            ),
        ]
        if knows_outcomes:
            interrupted: dict[str, Sequence[str]] = {"status": (Request.Status.INTERRUPTED,)}
            parts.append((_("of interrupted calls"), now.interrupted_cost_nanodollars, interrupted))
        opens = self.answer.table.foot.parameters
        return [
            (
                name,
                figures.money(amount),
                figures.exact_money(amount),
                figures.share(amount, now.cost_nanodollars),
                self.link(opens, counts) if amount else "",
            )
            for name, amount, counts in parts
        ]

    def headline(self, now: Totals, rows: list[ShownRow]) -> list[SafeString]:
        """What the table says, in words that open the calls they are of."""
        if not now.requests:
            named = self.question.is_claim and not self.question.overlaps
            return [told(_("No call in this range names one.") if named else _("No call in this range."))]
        said = [self.whole(now)]
        if now.unpriced_requests:
            sentence = ngettext(
                "%(count)s call has no price: its cost is unknown and in no sum here.",
                "%(count)s calls have no price: their cost is unknown and in no sum here.",
                now.unpriced_requests,
            )
            opens = self.link(self.answer.table.foot.parameters, {"unpriced": "1"})
            said.append(told(sentence, count=opening(figures.grouped(now.unpriced_requests), opens)))
        if len(rows) > 1 and now.cost_nanodollars and not self.question.overlaps:
            top = max(rows, key=lambda row: row.totals.cost_nanodollars)
            share = figures.share(top.totals.cost_nanodollars, now.cost_nanodollars)
            name = name_in_words(top.row.name, top.link)
            said.append(told(_("%(share)s of it is %(name)s."), share=opening(share, top.link), name=name))
        if self.question.first in CLAIM_DIMENSIONS:
            said.append(told(_("Tags, end users and clients are what callers say, counted by whole days.")))
        return said

    def whole(self, now: Totals) -> SafeString:
        if self.question.is_claim and not self.question.overlaps:
            sentence = ngettext(
                "%(amount)s for %(count)s call that names one, and %(tokens)s tokens.",
                "%(amount)s for %(count)s calls that name one, and %(tokens)s tokens.",
                now.requests,
            )
        else:
            sentence = ngettext(
                "%(amount)s for %(count)s call and %(tokens)s tokens.",
                "%(amount)s for %(count)s calls and %(tokens)s tokens.",
                now.requests,
            )
        opens = self.link(self.answer.table.foot.parameters)
        amount = figures.known_money(now.cost_nanodollars, now.unpriced_requests)
        return told(
            sentence,
            amount=opening(amount, opens and f"{opens}&sort=-cost"),
            count=opening(figures.grouped(now.requests), opens),
            tokens=opening(figures.short_count(now.tokens), opens and f"{opens}&sort=-input_tokens"),
        )


def changed(value: int, former: int) -> str:
    """How a figure differs from that of the period before, where there was one."""
    change = figures.change(value, former)
    if change is None:
        return _("new") if value else figures.signed_percent(0)
    return figures.signed_percent(change)
