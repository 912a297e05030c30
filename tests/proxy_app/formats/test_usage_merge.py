"""Usage told in instalments."""

from dataclasses import fields

from proxy_app.formats.usage_merge import merge_usage
from proxy_app.wire import Usage


def test_each_figure_is_overwritten_only_by_one_that_was_told() -> None:
    names = [field.name for field in fields(Usage) if field.name != "units"]
    known = Usage(**{name: number for number, name in enumerate(names)}, units={"search": 2, "call": 1})
    assert merge_usage(None, known) == known
    assert merge_usage(known, Usage()) == known
    for name in names:
        merged = merge_usage(known, Usage(**{name: 99}))
        assert {n: getattr(merged, n) for n in names} == {
            n: 99 if n == name else getattr(known, n) for n in names
        }
        assert merged.units == known.units
    assert merge_usage(known, Usage(units={"search": 3})).units == {"search": 3, "call": 1}
