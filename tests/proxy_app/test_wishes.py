"""How many answers a body that is passed on asks for: whatever its provider may read as a number."""

from typing import Any

import pytest

from proxy_app.wishes import FormReading, answers_wished, longest_wished


@pytest.mark.parametrize(
    ("body", "format", "count"),
    [
        ({}, "openai_chat", 1),
        ({"n": 3}, "openai_chat", 3),
        ({"n": 3}, "anthropic", 1),
        ({"n": 0}, "usage", 1),
        ({"n": -7}, "usage", 1),
        ({"n": "3"}, "usage", 3),
        ({"n": " +0000000003 "}, "usage", 3),
        ({"n": "3.0"}, "usage", 3),
        ({"n": 10**30}, "usage", 128),
        ({"n": "inf"}, "usage", 128),
        ({"n": "many"}, "usage", 1),
        ({"n": [3]}, "usage", 1),
        ({"n": True}, "usage", 1),
        ({"generationConfig": {"candidateCount": 4}}, "gemini", 4),
        ({"generation_config": {"candidate_count": "4"}}, "gemini", 4),
        ({"generationConfig": {"candidateCount": 4}}, "openai_chat", 1),
        ({"generationConfig": "x"}, "gemini", 1),
        ({"instances": [], "parameters": {"sampleCount": 4}}, "", 4),
        ({"parameters": {"sample_count": "5", "sampleCount": 1}}, "", 5),
    ],
)
def test_the_largest_wish_counts_within_bounds(body: Any, format: str, count: int) -> None:
    assert answers_wished(body, format) == count


@pytest.mark.parametrize(
    ("body", "format", "longest"),
    [
        ({}, "openai_chat", None),
        ({"max_tokens": 5, "max_completion_tokens": 7}, "openai_chat", 7),
        ({"max_tokens": None}, "anthropic", None),
        ({"max_tokens": 5}, "gemini", None),
        ({"generationConfig": {"maxOutputTokens": "5"}}, "gemini", 5),
        ({"generation_config": {"max_output_tokens": 5}}, "gemini", 5),
    ],
)
def test_the_longest_answer_is_named_in_the_format_s_own_words(body: Any, format: str, longest: Any) -> None:
    assert longest_wished(body, format) == longest


def test_a_form_is_read_in_pieces_and_what_is_none_is_not() -> None:
    raw = b'--x\r\nContent-Disposition: form-data; name="n"\r\n\r\n2\r\n' * 2 + b"--x--\r\n"
    raw = raw.replace(b"\r\n2\r\n", b"\r\n9\r\n", 1)
    for size in (1, 7, len(raw)):
        form = FormReading("Multipart/Form-Data; boundary=x")
        for at in range(0, len(raw), size):
            form.feed(raw[at : at + size])
        assert form.fields() == {"n": 9}
    for content_type in ("", "application/octet-stream"):
        form = FormReading(content_type)
        form.feed(raw)
        assert form.fields() == {}
    for content_type in (
        "multipart/form-data",
        "multipart/mixed; boundary=x",
        "multipart/form-data; boundary=y",
    ):
        form = FormReading(content_type)
        form.feed(raw)
        assert form.fields() == {"n": 10}
