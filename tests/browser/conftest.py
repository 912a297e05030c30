"""One Gatehouse and one Chromium for the tests of a file."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.watching import FLAGS
from tests.serving import Serving


@pytest.fixture(scope="module")
def server() -> Iterator[Serving]:
    with Serving() as server:
        yield server


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        path = os.environ.get("GATEHOUSE_CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()
