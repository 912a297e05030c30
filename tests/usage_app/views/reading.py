"""What pages, files and the API say, read as a person or a program reads them: from the answer alone."""

import csv
import html
import io
import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from django.test import Client
from openpyxl import load_workbook

from tests.usage_app.views.agreeing import FIGURES, Figures
from usage_app.export_jobs import part_of, write_waiting
from usage_app.models import Export

FORMATS = ("csv", "json", "xlsx")


def read_export(client: Client, kind: str, query: str, file_format: str) -> list[dict[str, Any]]:
    """The lines of a file, whether a worker answers it at once or it is written beside the ledger."""
    asked = {"kind": kind, "format": file_format, "query": query}
    answer = client.post("/ui/exports/", asked)
    content = answer.content
    if answer.status_code == 302:
        assert write_waiting() == 1
        export = Export.objects.latest("id")
        assert export.state == Export.State.DONE, export.error
        content = b"".join(part_of(export, number) for number in range(export.parts))
        export.delete()
    if file_format == "csv":
        return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    if file_format == "json":
        return list(json.loads(content)["results"])
    sheet = load_workbook(io.BytesIO(content)).active
    assert sheet is not None
    head, *lines = sheet.iter_rows(values_only=True)
    return [dict(zip(head, line, strict=True)) for line in lines]


def summed(lines: Iterable[Mapping[str, Any]], names: Iterable[str] = FIGURES) -> Figures:
    """Figures of lines added up; an empty field is none."""
    lines = list(lines)
    return {name: sum(int(line[name] or 0) for line in lines) for name in names}


def nanodollars(text: str) -> int:
    """'$1,234.5' as the page writes it, in nanodollars."""
    amount = Decimal(text.replace("$", "").replace(",", "")) * 10**9
    assert amount == int(amount), text
    return int(amount)


def table_rows(page: str, table: str) -> tuple[list[str], str]:
    """The HTML of a table's lines, and of its foot."""
    found = re.search(rf'<table[^>]*id="{table}".*?</table>', page, re.DOTALL)
    if found is None:
        return [], ""
    body, _, foot = found[0].partition("<tbody")[2].partition("</tbody>")
    return re.findall(r"<tr.*?</tr>", body, re.DOTALL), foot


def exact_amounts(row: str) -> list[int]:
    """The exact amounts that stand behind a line's rounded ones."""
    return [nanodollars(html.unescape(text)) for text in re.findall(r'title="(-?\$[^"]+)"', row)]


def count_under(row: str, label: str) -> int:
    """A whole number of the cell under a label: its exact text where it is shortened."""
    cell = re.search(rf'<td[^>]*data-label="{label}"([^>]*)>(.*?)</td>', row, re.DOTALL)
    assert cell is not None, (label, row)
    exact = re.search(r'title="([^"]+)"', cell[1])
    return int(re.sub(r"<[^>]+>|\s", "", html.unescape(exact[1] if exact else cell[2])))


def chart_sum(page: str) -> int:
    """All bars of the page's chart, as the script gets them."""
    found = re.search(r'<script id="page-chart-data" type="application/json">(.*?)</script>', page, re.DOTALL)
    if found is None:
        return 0
    return sum(sum(layer["values"]) for layer in json.loads(found[1])["layers"])
