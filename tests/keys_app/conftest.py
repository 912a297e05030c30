from pathlib import Path

import pytest
from django.conf import settings


@pytest.fixture(autouse=True)
def static_folder() -> None:
    """As the first start makes it; whitenoise warns where there is none."""
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
