"""Code words of the database as people read them, in their language."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin


class ToldValuesFilter(admin.AllValuesFieldListFilter):
    """A filter by the values that are there, each by the word that `told` has for it."""

    def told(self, value: str) -> str:
        """The word for a value: each filter has its own."""
        raise NotImplementedError

    def choices(self, changelist: Any) -> Iterator[Any]:
        everything, *values = super().choices(changelist)
        yield everything
        for each in values:
            yield {**each, "display": self.told(str(each["display"]))}
