"""What is cut down is cut from what is installed, and what is compressed shows no secret."""

import gzip
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.contrib.staticfiles import finders
from django.http import HttpResponse, JsonResponse
from django.test import Client, RequestFactory
from fontTools.ttLib import TTFont

from gateway_project import fonts
from gateway_project.compression import is_page
from gateway_project.conf import BASE_DIR
from keys_app.models import User
from tests.keys_app.cast import person, signed_in

PAGES = ("/ui/", "/ui/keys/", "/admin/", "/admin/keys_app/virtualkey/add/", "/admin/jsi18n/")
APPS = ("keys_app", "proxy_app", "usage_app")


def test_every_icon_of_our_actions_is_kept() -> None:
    paths = [path for app in APPS for path in (BASE_DIR / app).rglob("*.py")]
    texts = [path.read_text("utf-8") for path in (*paths, *(BASE_DIR / "templates").rglob("*.html"))]
    assert {icon for text in texts for icon in fonts.BY_CODE.findall(text)} == set(fonts.OURS.split())


def test_an_icon_that_a_template_of_unfold_hands_to_another_is_kept() -> None:
    """The button to a row's history, on every form of the admin."""
    assert {"history", "lock"} <= set(fonts.icon_names({"history", "lock", "block"}))


@pytest.mark.parametrize("weight", fonts.WEIGHTS)
def test_a_hyphen_is_as_narrow_in_a_column_of_figures_as_in_a_name(weight: str) -> None:
    """Between two figures too, where it is another glyph: `claude-haiku-4-5` in a table."""
    path = fonts.cut_fonts() / fonts.FONTS / "inter" / f"Inter-{weight}-Latin.woff2"
    with TTFont(path) as font:
        hyphen = font.getBestCmap()[ord("-")]
        same = {hyphen, *(each[hyphen] for each in substitutes(font, "case") if hyphen in each)}
        assert len(same) == 2
        assert not any(same & each.keys() for each in substitutes(font, "tnum"))


def substitutes(font: TTFont, feature: str) -> list[dict[str, str]]:
    """What each step of a font's feature puts in whose place."""
    table = font["GSUB"].table
    indices = {
        index
        for record in table.FeatureList.FeatureRecord
        if record.FeatureTag == feature
        for index in record.Feature.LookupListIndex
    }
    tables = [each for index in indices for each in table.LookupList.Lookup[index].SubTable]
    return [getattr(getattr(each, "ExtSubTable", each), "mapping", {}) for each in tables]


def test_the_pages_fonts_are_cut_from_those_of_unfold_and_cut_once() -> None:
    cut = fonts.cut_fonts()
    for path in (fonts.ICONS, *(fonts.FONTS / "inter" / f"Inter-{weight}.woff2" for weight in fonts.WEIGHTS)):
        name = path if path == fonts.ICONS else path.with_stem(f"{path.stem}-Latin")
        assert 4_000 < (cut / name).stat().st_size < (fonts.SOURCE / "static" / path).stat().st_size / 2
        assert finders.find(str(name)) == str(cut / name)
    before = (cut / fonts.ICONS).stat().st_mtime_ns
    assert fonts.cut_fonts() == cut and (cut / fonts.ICONS).stat().st_mtime_ns == before


def test_where_the_environment_cannot_be_written_to_they_stay_with_the_static_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.STATIC_ROOT = tmp_path / "data" / "static"
    (tmp_path / "share").write_text("a file, so that no folder can be made here")
    monkeypatch.setattr(fonts.sys, "prefix", str(tmp_path))
    assert fonts.cut_fonts().parent == tmp_path / "data"
    assert finders.find(str(fonts.ICONS)).startswith(str(tmp_path / "data"))
    assert [path.name for path in (tmp_path / "data").iterdir()] == [fonts.cut_fonts().name]


@pytest.mark.django_db
def test_pages_of_window_and_admin_are_compressed_for_whoever_is_signed_in() -> None:
    browser = signed_in(person("ada", "admin"))
    for path in PAGES:
        answer = browser.get(path, headers={"accept-encoding": "gzip"})
        assert (answer.status_code, answer["Content-Encoding"]) == (200, "gzip"), path
        assert "Accept-Encoding" in answer["Vary"], path
        assert gzip.decompress(answer.content), path


@pytest.mark.django_db
def test_the_answer_to_a_post_is_not_compressed_for_it_may_show_a_secret() -> None:
    browser = signed_in(person("ada", "admin"))
    body = {"name": "notebook", "environment": "experiment", "budget_period": "month"}
    answer = browser.post("/ui/keys/new/", body, headers={"accept-encoding": "gzip"})
    assert answer.status_code == 200 and b"sk-gh-" in answer.content
    assert "Content-Encoding" not in answer


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/ui/sign-in/", "/admin/login/", "/ui/password/none/"])
def test_a_stranger_s_page_is_not_compressed(path: str) -> None:
    answer = Client().get(path, headers={"accept-encoding": "gzip"})
    assert "Content-Encoding" not in answer


def test_only_pages_to_be_read_are_compressed() -> None:
    request = RequestFactory().get("/ui/")
    request.user = User()
    assert is_page(request, HttpResponse(""))
    assert not is_page(request, JsonResponse({}))
    request.path_info = "/api/v1/keys/"
    assert not is_page(request, HttpResponse(""))
    request.path_info = "/ui/"
    request.user = AnonymousUser()
    assert not is_page(request, HttpResponse(""))
