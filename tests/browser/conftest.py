"""One Gatehouse and one Chromium for the tests of a file."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.people import settle
from tests.browser.watching import FLAGS
from tests.serving import Serving

#: Two run at a time, a file each: what is begun last must not be what takes longest.
LONGEST = {"test_every_page", "test_every_role", "test_korean", "test_weight"}

#: What is expected appears in less than a second; two browsers on a busy machine take longer.
expect.set_options(timeout=15_000)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.stem not in LONGEST)


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


@pytest.fixture(scope="module")
def people(server: Serving) -> None:
    """A service with traffic, and somebody of each role in it."""
    settle(server)
