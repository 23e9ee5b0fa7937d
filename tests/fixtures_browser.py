"""Browser fixtures: one Chromium, a fresh page per test; a failing test leaves a picture."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests import chromium, database


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium of this machine, never a downloaded one."""
    path = chromium.find()
    if not path:
        pytest.fail(chromium.complaint(), pytrace=False)
    # Playwright keeps an event loop in this thread, which Django takes for asynchronous code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=chromium.ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def browser_context(browser: Browser) -> Iterator[BrowserContext]:
    """A person's browser: own cookies. Open another with `browser.new_context()` for a second person."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    yield context
    context.close()


@pytest.fixture
def page(browser_context: BrowserContext, request: pytest.FixtureRequest) -> Iterator[Page]:
    opened = browser_context.new_page()
    opened.set_default_timeout(15_000)
    yield opened
    if getattr(request.node, "failed", False):
        pictures = database.VAR / "pictures"
        pictures.mkdir(exist_ok=True)
        opened.screenshot(path=pictures / f"{request.node.name}.png", full_page=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[Any]:
    report = yield
    if report.when == "call":
        item.failed = report.failed  # type: ignore[attr-defined]
    return report
