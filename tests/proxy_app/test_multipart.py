"""Forms, cut anywhere: fields, files, and the place where the model stands."""

import asyncio
import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_project.errors import InvalidBody
from proxy_app.multipart import MAX_PARTS, Scan, Scanner, boundary_of
from proxy_app.spool import IN_MEMORY, Renamed, Spool, SpooledForm

BOUNDARY = b"x-boundary"
FORM = (
    b'--x-boundary\r\nContent-Disposition: form-data; name="file"; filename="a \\"b\\".wav"\r\n'
    b"Content-Type: audio/wav\r\n\r\nRIFF\r\n--x-bound\r\n--not it\r\n"
    b'--x-boundary\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
    b"--x-boundary \t\r\ncontent-disposition: form-data; name=empty\r\n\r\n\r\n"
    b'--x-boundary\r\nContent-Disposition: form-data; name="include[]"\r\n\r\na\r\n'
    b'--x-boundary\r\nContent-Disposition: form-data; name="include[]"\r\n\r\nb\r\n'
    b"--x-boundary--\r\nan epilogue"
)


def scanned(body: bytes, *cuts: int) -> Scan:
    scanner = Scanner(BOUNDARY)
    edges = [0, *sorted(cuts), len(body)]
    for start, end in itertools.pairwise(edges):
        scanner.feed(body[start:end])
    return scanner.finish()


def test_a_form_is_read_the_same_wherever_it_is_cut() -> None:
    whole = scanned(FORM)
    assert whole.fields == {"model": ["whisper-1"], "empty": [""], "include[]": ["a", "b"]}
    (file,) = whole.files
    assert (file.name, file.media_type, file.size) == ("file", "audio/wav", 25)
    assert file.head == b"RIFF\r\n--x-bound\r\n--not it"
    for cut in range(len(FORM)):
        assert scanned(FORM, cut) == whole
    assert scanned(FORM, *range(len(FORM))) == whole


def test_the_model_is_found_where_it_stands() -> None:
    ((start, end),) = scanned(FORM).model_spans
    assert FORM[start:end] == b"whisper-1"


@given(st.binary(max_size=300), st.lists(st.integers(0, 400), max_size=8))
def test_whatever_comes_is_a_form_or_refused_as_none(body: bytes, cuts: list[int]) -> None:
    try:
        scanned(body, *(cut for cut in cuts if cut < len(body)))
    except InvalidBody:
        pass


@given(st.binary(max_size=2_000), st.integers(1, 64))
def test_a_file_keeps_its_size_whatever_is_in_it(content: bytes, step: int) -> None:
    if b"\r\n--x-boundary" in b"\r\n" + content:
        return
    head = b'--x-boundary\r\ncontent-disposition: form-data; name="f"; filename="n"\r\n\r\n'
    body = head + content + b"\r\n--x-boundary--"
    (file,) = scanned(body, *range(step, len(body), step)).files
    assert file.size == len(content)
    assert file.head == content[:64]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        FORM[:-30],
        b"no form at all",
        b"--x-boundary\r\n\r\nno head\r\n--x-boundary--",
        b"--x-boundary\r\ncontent-disposition: attachment\r\n\r\nx\r\n--x-boundary--",
        b"--x-boundaryless\r\n\r\n",
        b"--x-boundary\r\n" + b"a: b\r\n" * 5_000,
        b'--x-boundary\r\ncontent-disposition: form-data; name="a"\r\n\r\n1\r\n' * (MAX_PARTS + 1),
        b'--x-boundary\r\ncontent-disposition: form-data; name="a"\r\n\r\n' + b"1" * 1_100_000,
    ],
)
def test_what_is_no_form_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidBody):
        scanned(body, *range(0, len(body), 10_000))


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('Multipart/Form-Data; charset=utf-8; Boundary="a b:c"', b"a b:c"),
        ("application/json", None),
        ("multipart/form-data", None),
        ("multipart/form-data; boundary=" + "x" * 71, None),
        ('multipart/form-data; boundary="é"', None),
    ],
)
def test_a_boundary_is_read_or_missed(content_type: str, boundary: bytes | None) -> None:
    if boundary is None:
        with pytest.raises(InvalidBody):
            boundary_of(content_type)
    else:
        assert boundary_of(content_type) == boundary


async def test_a_large_body_is_on_disk_under_no_name_and_comes_back_with_another_model(
    tmp_path: Path,
) -> None:
    spool = Spool(tmp_path)
    content = bytes(range(256)) * 20_000  # 5 MB
    for start in range(0, len(content), 65_536):
        await spool.write(content[start : start + 65_536])
    await spool.close_writing()
    assert spool.is_on_disk
    assert not list((tmp_path / "uploads").iterdir())
    assert len(spool._memory) <= IN_MEMORY
    renamed = Renamed(spool, ((10, 20), (4_000_000, 4_000_003)), b"other")
    expected = content[:10] + b"other" + content[20:4_000_000] + b"other" + content[4_000_003:]
    for _twice in range(2):
        assert b"".join([piece async for piece in renamed.chunks()]) == expected
    assert renamed.size == len(expected)
    spool.close()


async def test_a_small_body_never_touches_the_disk(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    await spool.write(FORM)
    await spool.close_writing()
    form = SpooledForm(spool, scanned(FORM), "multipart/form-data; boundary=x-boundary")
    sent = b"".join([piece async for piece in form.with_model("w").chunks()])
    assert sent == FORM.replace(b"whisper-1", b"w")
    assert not (tmp_path / "uploads").exists()
    await asyncio.sleep(0)
