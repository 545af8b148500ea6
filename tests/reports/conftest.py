"""One browser for all tests of pages."""

from __future__ import annotations

import pytest
from chromium import Browser, find_browser, why_no_browser


@pytest.fixture(scope="session")
def _chromium(tmp_path_factory):
    if why := why_no_browser():
        pytest.skip(why)
    with Browser(find_browser() or "", tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture
def browser(_chromium):
    """A browser; whatever a test does, its page asks no network for anything and says nothing on its console."""
    _chromium.said.clear()
    _chromium.asked.clear()
    _chromium.resize(1280, 900)
    yield _chromium
    assert _chromium.said == []
    assert _chromium.asked == []


@pytest.fixture
def shown(browser, tmp_path):
    """Open a page as a file."""

    def open_page(page, fragment=""):
        path = tmp_path / "page.html"
        page.save(path)
        browser.open(path, fragment)
        return browser

    return open_page
