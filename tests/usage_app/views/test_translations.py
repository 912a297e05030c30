"""Korean: complete, with the same placeholders, compiled, and on every page."""

import gettext
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
from django.conf import settings
from django.utils.translation.template import templatize

from gateway_project import clock
from tests.seeding import People, make_request, save
from tests.usage_app.views.conftest import Browse

ROOT = Path(settings.LOCALE_PATHS[0]).parent
PO = ROOT / "locale" / "ko" / "LC_MESSAGES" / "django.po"
_COUNTED = re.compile(r"ngettext(?:_lazy)?\(\s*u?(['\"])(.*?)\1\s*,\s*u?(['\"])(.*?)\3", re.DOTALL)
_HOLES = re.compile(r"%\(\w+\)[sdr]|<code>|</code>")
_IN_TEMPLATES = re.compile(r"{%\s*translate\s+\"([^\"]+)\"")


@pytest.fixture(scope="module")
def compiler() -> ModuleType:
    spec = importlib.util.spec_from_file_location("locale_compiler", ROOT / "locale" / "compile.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_compiled_file_is_that_of_the_text(compiler: ModuleType) -> None:
    assert PO.with_suffix(".mo").read_bytes() == compiler.build_mo(compiler.read_po(PO))


def test_what_is_counted_is_looked_up_as_one_message(compiler: ModuleType) -> None:
    """One entry with its plural: two of their own are never found, and English is shown."""
    known = compiler.read_po(PO)
    sources = [path.read_text() for app in ROOT.glob("*_app") for path in app.rglob("*.py")]
    sources += [
        templatize(path.read_text())
        for path in (ROOT / "templates").rglob("*.html")
        if "unfold" not in path.parts
    ]
    pairs = {(one, many) for text in sources for _, one, _, many in _COUNTED.findall(text)}
    assert len(pairs) > 10
    assert {one for one, many in pairs if f"{one}\0{many}" not in known} == set()


def test_the_compiled_file_is_read_by_gettext(compiler: ModuleType) -> None:
    with PO.with_suffix(".mo").open("rb") as file:
        korean = gettext.GNUTranslations(file)
    assert korean.gettext("Requests") == "요청"
    assert korean.ngettext("One retry cost %(time)s.", "%(count)s retries cost %(time)s.", 2).startswith(
        "재시도"
    )


def test_every_message_has_its_korean_and_the_same_holes(compiler: ModuleType) -> None:
    text = PO.read_text("utf-8")
    assert not re.search(r'msgid "[^"].*\nmsgstr ""\n\n', text)
    assert ", fuzzy" not in text
    for message, korean in compiler.read_po(PO).items():
        if message:
            wanted = set(_HOLES.findall(message.split("\0")[-1]))
            assert set(_HOLES.findall(korean)) == wanted, message


def test_every_word_of_our_templates_is_in_the_catalogue(compiler: ModuleType) -> None:
    known = {message.split("\0")[0] for message in compiler.read_po(PO)}
    for template in (ROOT / "templates").rglob("*.html"):
        for message in _IN_TEMPLATES.findall(template.read_text("utf-8")):
            assert message in known, f"{template.name}: {message}"


@pytest.mark.parametrize(
    "page",
    [
        "/ui/",
        "/ui/live/",
        "/ui/requests/",
        "/ui/usage/",
        "/ui/exports/",
        "/ui/budgets/",
        "/ui/models/",
        "/ui/prices/",
        "/ui/get-started/",
    ],
)
def test_a_page_in_korean_keeps_no_english_label(people: People, browse: Browse, page: str) -> None:
    save([make_request(people.keys["search-lab"], clock.now())])
    client = browse(people.root)
    client.post("/ui/language/", {"language": "ko"})
    text = client.get(page).content.decode()
    assert "관찰" in text
    for english in ("Overview", "Requests", "Get started", "Sign out", "Last 24 hours", "All services"):
        assert f">{english}<" not in text
