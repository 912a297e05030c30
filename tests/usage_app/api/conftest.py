"""The folder of collected static files is there, as after the first start."""

from pathlib import Path

import pytest
from django.conf import settings


@pytest.fixture(autouse=True)
def _static_folder() -> None:
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
