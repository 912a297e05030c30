"""Signatures of one family in the fields of another: each comes back to whoever signed."""

from hypothesis import given
from hypothesis import strategies as st

from proxy_app.formats.signing import seal_of, sealed_thought, tag_signature, untag_signature
from proxy_app.wire import Thinking

FAMILIES = st.sampled_from(["anthropic", "gemini", "openai"])
SIGNATURES = st.one_of(st.text(min_size=1).filter(lambda text: not text.startswith("gatehouse.")))


@given(SIGNATURES, FAMILIES, FAMILIES)
def test_a_tagged_signature_names_who_signed(signature: str, provider: str, own: str) -> None:
    assert untag_signature(tag_signature(signature, provider, own), own) == (signature, provider)


def test_a_family_s_own_signature_is_carried_as_it_is() -> None:
    assert tag_signature("c2ln", "openai", "openai") == "c2ln"
    assert tag_signature("c2ln", None, "openai") == "c2ln"
    assert tag_signature("a.b", "anthropic", "openai") == "gatehouse.anthropic.a.b"


def test_what_only_looks_like_a_tag_is_a_signature() -> None:
    for text in ("gatehouse.", "gatehouse.x", "gatehouse..x", "", "c2ln"):
        assert untag_signature(text, "openai") == (text, "openai")


@given(st.text(), SIGNATURES, FAMILIES, FAMILIES, st.booleans())
def test_a_thought_comes_back_as_it_went(
    text: str, seal: str, provider: str, own: str, redacted: bool
) -> None:
    signature, data = (None, seal) if redacted else (seal, None)
    thought = Thinking(text, signature, data, provider)
    assert sealed_thought(text, seal_of(thought, own), own) == thought


def test_a_bare_thought_belongs_to_nobody() -> None:
    assert seal_of(Thinking("hm"), "openai") is None
    assert sealed_thought("hm", None, "openai") == Thinking("hm")
