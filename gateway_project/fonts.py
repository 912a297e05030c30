"""The fonts of Unfold, cut down to what the pages draw when the static files are collected.

As they come they weigh 630 KB: Inter in three weights with all its letters, and 3,800 icons. What is cut
stays beside the packages it was cut from, so that it takes its four seconds once an environment.

    icons   Material Symbols with the icons that Unfold's templates and our actions name, and no others
    Inter   each weight in two files: Latin here; Unfold's own, asked for only by a page with other letters
"""

import contextlib
import hashlib
import logging
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import unfold
from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.contrib.staticfiles.utils import get_files
from django.core.files.storage import FileSystemStorage

SOURCE: Final = Path(unfold.__path__[0])
FONTS: Final = Path("unfold", "fonts")
ICONS: Final = FONTS / "material-symbols" / "Material-Symbols-Outlined.woff2"
WEIGHTS: Final = {"Regular": "400", "Medium": "500", "SemiBold": "600 700"}
#: Latin with its accents, punctuation, currencies, arrows, signs of arithmetic and keys, shapes.
LATIN: Final = "U+0000-024F,U+02B0-02FF,U+1E00-1EFF,U+2000-22FF,U+2303-232B,U+2380-23CF,U+25A0-27BF"
OTHERS: Final = "U+0250-02AF,U+0300-052F,U+1D00-1DFF,U+1F00-1FFF"
#: Kept of Inter's many: kerning and marks as always, figures of one width, capitals' punctuation.
FEATURES: Final = ["kern", "mark", "mkmk", "ccmp", "locl", "calt", "tnum", "case"]
#: The icons of our own actions in the admin; the navigation's are drawn by gatehouse/icons.svg.
OURS: Final = (
    "add_card autorenew block content_copy download link lock_open logout move_up network_check "
    "person_off send speed timer_off trending_up upload"
)

_STAMP: Final = ".cut"
_ELEMENT: Final = re.compile(r"material-symbols-outlined(.*?)</(?:span|div|i)>", re.DOTALL)
_WORD: Final = re.compile(r"[a-z0-9_]{2,}")
_BY_STYLE: Final = re.compile(r'content:"([a-z0-9_]+)"')
BY_CODE: Final = re.compile(r"""\bicon=["']([a-z0-9_]+)["']""")
_FACE: Final = (
    '@font-face {{ font-family: "Inter"; font-style: normal; font-weight: {}; font-display: swap; '
    'src: url("{}") format("woff2"); unicode-range: {}; }}\n'
)


class CutFonts(BaseFinder):
    """Finds them under the names of those they stand for: the first finder that has a file is asked."""

    @property
    def storage(self) -> FileSystemStorage:
        return FileSystemStorage(cut_fonts())

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, FileSystemStorage]]:
        storage = self.storage
        for path in get_files(storage, list(ignore_patterns or [])):
            yield path, storage

    def find(self, path: str, find_all: bool = False, **_options: Any) -> Any:
        found = [str(file)] if (file := Path(self.storage.location) / path).is_file() else []
        return found if find_all else next(iter(found), [])


def cut_fonts() -> Path:
    """The folder with the fonts, cut anew where Unfold or the rules above are others than they were."""
    for folder in (Path(sys.prefix, "share", "gatehouse"), Path(settings.STATIC_ROOT).parent):
        cut = folder / f"fonts-{version()}"
        if (cut / _STAMP).exists():
            return cut
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            _cut_into(folder, cut)
            return cut
    raise OSError("Neither the environment nor the data folder can be written to.")


@cache
def version() -> str:
    """Changes with whatever changes what is drawn."""
    parts = [metadata.version(name) for name in ("django-unfold", "fonttools")]
    return hashlib.sha256(" ".join([*parts, Path(__file__).read_text("utf-8")]).encode()).hexdigest()[:12]


def icon_names(known: Iterable[str]) -> list[str]:
    """The icons to keep, of those that the font has."""
    named = {
        word
        for text in _texts("html")
        for part in _ELEMENT.findall(text)
        for word in _WORD.findall(part)  # not every word of a template is an icon
    }
    named |= {word for text in _texts("css") for word in _BY_STYLE.findall(text)}
    named |= {word for kind in ("py", "html") for text in _texts(kind) for word in BY_CODE.findall(text)}
    return sorted((named & set(known)) | set(OURS.split()))


def _texts(kind: str) -> Iterator[str]:
    return (path.read_text("utf-8") for path in SOURCE.rglob(f"*.{kind}"))


def _cut_into(folder: Path, cut: Path) -> None:
    """Whole or not at all: another process may do the same, and the first to end stays."""
    logging.getLogger("fontTools").setLevel(logging.ERROR)  # it tells every glyph
    with tempfile.TemporaryDirectory(dir=folder, prefix=".cutting-") as work:
        made = Path(work, "fonts")
        _cut_icons(made)
        _cut_inter(made)
        (made / _STAMP).touch()
        try:
            made.rename(cut)
        except OSError:
            if not (cut / _STAMP).exists():
                raise


def _cut_icons(target: Path) -> None:
    from fontTools import subset

    options = subset.Options(flavor="woff2", layout_features=["rlig"], layout_closure=False, hinting=False)
    with subset.load_font(str(SOURCE / "static" / ICONS), options) as font:
        glyphs = ligatures(font)
        names = icon_names(glyphs)
        cut = subset.Subsetter(options)
        cut.populate(glyphs=[glyphs[name] for name in names], text="".join(names))
        _save(cut, font, options, target / ICONS)


def ligatures(font: Any) -> dict[str, str]:
    """Icon's name -> its glyph."""
    letter = {glyph: chr(code) for code, glyph in font.getBestCmap().items()}
    found = {}
    for lookup in font["GSUB"].table.LookupList.Lookup:
        for table in lookup.SubTable:
            table = getattr(table, "ExtSubTable", table)
            for first, each in getattr(table, "ligatures", {}).items():
                for one in each:
                    found["".join(letter[part] for part in [first, *one.Component])] = one.LigGlyph
    return found


def _cut_inter(target: Path) -> None:
    from fontTools import subset

    inter, named = FONTS / "inter", [0, 1, 2, 5, 13]
    options = subset.Options(flavor="woff2", layout_features=FEATURES, hinting=False, name_IDs=named)
    for weight in WEIGHTS:
        source = SOURCE / "static" / inter / f"Inter-{weight}.woff2"
        with subset.load_font(str(source), options) as font:
            _keep_hyphens_narrow(font)
            cut = subset.Subsetter(options)
            cut.populate(unicodes=subset.parse_unicodes(LATIN.replace("U+", "")))
            _save(cut, font, options, target / inter / f"Inter-{weight}-Latin.woff2")
    (target / inter / "styles.css").write_text("".join(map(_faces, WEIGHTS)), "utf-8")


def _keep_hyphens_narrow(font: Any) -> None:
    """Figures of one width come with hyphens of that width: `gpt-5-mini` would stand apart, and between
    two figures `claude-haiku-4-5`, whose hyphen is that of capitals."""
    table = font["GSUB"].table
    for record in table.FeatureList.FeatureRecord:
        if record.FeatureTag == "tnum":
            for index in record.Feature.LookupListIndex:
                for each in table.LookupList.Lookup[index].SubTable:
                    for hyphen in ("hyphen", "hyphen.case"):
                        getattr(each, "ExtSubTable", each).mapping.pop(hyphen, None)


def _faces(weight: str) -> str:
    names = ((f"Inter-{weight}-Latin.woff2", LATIN), (f"Inter-{weight}.woff2", OTHERS))
    return "".join(_FACE.format(WEIGHTS[weight], name, letters) for name, letters in names)


def _save(cut: Any, font: Any, options: Any, path: Path) -> None:
    from fontTools import subset

    cut.subset(font)
    path.parent.mkdir(parents=True, exist_ok=True)
    subset.save_font(font, str(path), options)
