"""The description of the management API, as code generators read it."""

import pytest
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator


@pytest.fixture
def complaints() -> list[str]:
    """What the generator had to say, once the description was made."""
    GENERATOR_STATS.reset()
    with GENERATOR_STATS.silence():
        SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    found = [*GENERATOR_STATS._warn_cache, *GENERATOR_STATS._error_cache]
    GENERATOR_STATS.reset()
    return found


def test_the_description_is_made_without_a_warning(complaints: list[str]) -> None:
    assert complaints == []


def test_the_list_of_calls_and_one_call_have_names_of_their_own() -> None:
    description = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    names = [way["operationId"] for ways in description["paths"].values() for way in ways.values()]
    assert len(names) == len(set(names))
    assert {"api_v1_requests_list", "api_v1_requests_retrieve"} <= set(names)
