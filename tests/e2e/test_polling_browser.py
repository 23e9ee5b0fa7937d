"""A page that is drawn anew while somebody reads it: whoever walks it by keyboard keeps the place."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.fixtures_story import Story
from tests.sync import world
from tests.web.test_sync_pages import NOBODY

pytestmark = [pytest.mark.slow, pytest.mark.browser]


def test_the_focus_stays_where_it_was_when_the_board_is_drawn_anew(house: Story, page: Page) -> None:
    for code in ("coupa", "s4hana"):
        world.target(code, NOBODY)
    username, password = house.passwords["operator"]
    page.goto(house.hub.base_url)
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.goto(f"{house.hub.base_url}/targets/")
    cards = page.locator("#live > section")
    assert cards.count() > 1
    # Every card has the same buttons: it must be the one of the last card, not the first of its name.
    card = cards.last
    button = card.get_by_role("button", name="Look for drift")
    button.focus()
    cards.evaluate_all("cards => cards.forEach(card => card.dataset.old = '1')")
    page.evaluate(
        "htmx.ajax('GET', location.href, {source: '#live', target: '#live', select: '#live', swap: 'outerHTML'})"
    )
    expect(page.locator("#live > section[data-old]")).to_have_count(0)
    expect(button).to_be_focused()
    # Whoever is elsewhere is not pulled back.
    search = page.locator(".search")
    search.focus()
    page.evaluate(
        "htmx.ajax('GET', location.href, {source: '#live', target: '#live', select: '#live', swap: 'outerHTML'})"
    )
    page.wait_for_timeout(300)
    expect(search).to_be_focused()
