"""Files of figures: CSV for spreadsheets, XLSX row by row, JSON. What a page shows, to the nanodollar.

A table is its columns and its rows, both plain values; writers turn it into chunks of bytes.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font

Row = Sequence[Any]
Facts = dict[str, Any]

CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "json": "application/json",
}
#: First letters that make a spreadsheet calculate what is only text.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_CHUNK_ROWS = 500
_XLSX_ROWS = 1_048_575  # of one sheet, without its head
_BOM = "\ufeff"


class TooManyRows(Exception):
    """More rows than the format holds."""


def write_csv(columns: Sequence[str], rows: Iterable[Row], facts: Facts) -> Iterator[bytes]:
    """With a byte order mark, so that Excel reads UTF-8; a text that would be a formula is quoted."""
    buffer = io.StringIO()
    buffer.write(_BOM)
    writer = csv.writer(buffer)
    writer.writerow(columns)
    for number, row in enumerate(rows, 1):
        writer.writerow([_plain(value) for value in row])
        if number % _CHUNK_ROWS == 0:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


def write_json(columns: Sequence[str], rows: Iterable[Row], facts: Facts) -> Iterator[bytes]:
    """An object of the facts and `results`, one object a row."""
    head = json.dumps(facts, default=_text, ensure_ascii=False)
    yield (head[:-1] + (", " if facts else "") + '"results": [').encode()
    part: list[str] = []
    separator = ""
    for row in rows:
        found = dict(zip(columns, row, strict=True))
        part.append(separator + "\n" + json.dumps(found, default=_text, ensure_ascii=False))
        separator = ","
        if len(part) == _CHUNK_ROWS:
            yield "".join(part).encode()
            part.clear()
    yield ("".join(part) + "\n]}\n").encode()


def write_xlsx(columns: Sequence[str], rows: Iterable[Row], facts: Facts) -> Iterator[bytes]:
    """One sheet; openpyxl keeps rows in a file of its own until the end, never in memory."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Gatehouse")
    sheet.freeze_panes = "A2"
    head = []
    for name in columns:
        cell = WriteOnlyCell(sheet, value=name)
        cell.font = Font(bold=True)
        head.append(cell)
    sheet.append(head)
    for number, row in enumerate(rows, 1):
        if number > _XLSX_ROWS:
            raise TooManyRows(f"A sheet holds {_XLSX_ROWS:,} rows; choose CSV, or a shorter range.")
        sheet.append([_cell(sheet, value) for value in row])
    buffer = io.BytesIO()
    book.save(buffer)
    yield buffer.getvalue()


WRITERS: dict[str, Callable[[Sequence[str], Iterable[Row], Facts], Iterator[bytes]]] = {
    "csv": write_csv,
    "json": write_json,
    "xlsx": write_xlsx,
}


def _plain(value: Any) -> Any:
    """A value as CSV has it. Unknown is an empty field."""
    if value is None:
        return ""
    if isinstance(value, (list, dict)):
        value = json.dumps(value, ensure_ascii=False)
    elif isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value


def _cell(sheet: Any, value: Any) -> Any:
    """A value as a sheet has it: texts stay texts, whatever they begin with."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (list, dict)):
        value = json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        cell = WriteOnlyCell(sheet, value=_without_controls(value))
        cell.data_type = "s"
        return cell
    if isinstance(value, int) and abs(value) > 10**15:
        return str(value)  # a sheet's numbers have 15 digits; no figure is rounded on its way
    return value


def _without_controls(text: str) -> str:
    """A sheet is XML: it holds no control characters."""
    return "".join(letter for letter in text if letter in "\t\n" or letter >= " ")


def _text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)
