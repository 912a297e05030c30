"""Fixtures of the data plane's tests."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.proxy_app.harness import Gateway, gateway


@pytest.fixture
def make_gateway(tmp_path: Path) -> Iterator[Callable[..., Gateway]]:
    made: list[Gateway] = []

    def make(script: Any, *models: Any, **key: Any) -> Gateway:
        made.append(gateway(tmp_path / f"journal-{len(made)}", script, *models, **key))
        return made[-1]

    yield make
    for one in made:
        one.services.journal.close()
