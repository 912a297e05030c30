"""Compiles django.po into django.mo with Python alone: `.venv/bin/python locale/compile.py`.

The compiled file is part of the repository; a test compares the two.
"""

import ast
import struct
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
MAGIC = 0x950412DE


def read_po(path: Path) -> dict[str, str]:
    """Message → translation; plural ones as gettext stores them, joined by NUL."""
    messages: dict[str, str] = {}
    entry: dict[str, str] = {}
    field, fuzzy = "", False
    for line in [*path.read_text("utf-8").splitlines(), ""]:
        if line.startswith("#~"):
            continue
        if not line.strip():
            _keep(messages, entry, fuzzy=fuzzy)
            entry, field, fuzzy = {}, "", False
        elif line.startswith("#"):
            fuzzy = fuzzy or (line.startswith("#,") and "fuzzy" in line)
        elif line.startswith('"'):
            entry[field] += ast.literal_eval(line)
        else:
            field, _, text = line.partition(" ")
            entry[field] = ast.literal_eval(text)
    return messages


def _keep(messages: dict[str, str], entry: dict[str, str], *, fuzzy: bool) -> None:
    if "msgid" not in entry or (fuzzy and entry["msgid"]):
        return
    key = entry["msgid"]
    if "msgctxt" in entry:
        key = f"{entry['msgctxt']}\x04{key}"
    if "msgid_plural" in entry:
        key = f"{key}\0{entry['msgid_plural']}"
    forms = [text for name, text in sorted(entry.items()) if name.startswith("msgstr")]
    if all(forms):
        messages[key] = "\0".join(forms)


def build_mo(messages: dict[str, str]) -> bytes:
    """The binary catalogue: sorted keys, two tables of lengths and offsets, the texts."""
    pairs = [(key.encode(), messages[key].encode()) for key in sorted(messages, key=str.encode)]
    tables = 28 + 16 * len(pairs)
    keys = b"".join(key + b"\0" for key, _ in pairs)
    texts = b"".join(text + b"\0" for _, text in pairs)
    head = struct.pack("<7I", MAGIC, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, tables)
    key_table, text_table, key_at, text_at = b"", b"", tables, tables + len(keys)
    for key, text in pairs:
        key_table += struct.pack("<2I", len(key), key_at)
        text_table += struct.pack("<2I", len(text), text_at)
        key_at += len(key) + 1
        text_at += len(text) + 1
    return head + key_table + text_table + keys + texts


def main() -> int:
    for po in sorted(HERE.glob("*/LC_MESSAGES/django.po")):
        po.with_suffix(".mo").write_bytes(build_mo(read_po(po)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
