"""A page that is drawn anew while somebody reads it: whoever walks it by keyboard keeps the place."""

from __future__ import annotations

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from sync.models import Notification, Target, TargetAlert
from sync.services import alerts
from tests.fixtures_story import Story
from tests.sync import world
from tests.web.test_sync_pages import NOBODY

pytestmark = [pytest.mark.slow, pytest.mark.browser]


@pytest.fixture
def operator(house: Story, page: Page) -> Page:
    for code in ("coupa", "s4hana"):
        world.target(code, NOBODY)
    username, password = house.passwords["operator"]
    page.goto(house.hub.base_url)
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    return page


def draw_anew(page: Page) -> None:
    """What the page asks for by itself every ten seconds, now."""
    page.locator("#live").evaluate("live => { live.dataset.old = '1'; }")
    page.evaluate(
        "htmx.ajax('GET', location.href, {source: '#live', target: '#live', select: '#live', swap: 'outerHTML'})"
    )
    expect(page.locator("#live[data-old]")).to_have_count(0)


def test_the_focus_stays_where_it_was(house: Story, operator: Page) -> None:
    page = operator
    page.goto(f"{house.hub.base_url}/targets/")
    cards = page.locator("#live > section")
    assert cards.count() > 1
    # Every card has the same buttons: it must be the one of the last card, not the first of its name.
    button = cards.last.get_by_role("button", name="Look for drift")
    button.focus()
    draw_anew(page)
    expect(button).to_be_focused()
    # Whoever is elsewhere is not pulled back.
    search = page.locator(".search")
    search.focus()
    draw_anew(page)
    expect(search).to_be_focused()


def test_what_was_folded_open_lies_open(house: Story, operator: Page) -> None:
    page = operator
    for target in Target.objects.all():
        alerts.alert(target, "check_failed", "No answer.")  # nothing else here ends it while the page is looked at
    now = timezone.now()
    for alert in TargetAlert.objects.all():
        Notification.objects.create(
            alert=alert, event="opened", channel="email", recipient="samir@hub.example", state="sent",
            created_at=now, next_at=now, sent_at=now,
        )  # fmt: skip
    page.goto(f"{house.hub.base_url}/alerts/")
    folds = page.locator("#live details:not(.menu)")
    expect(folds).to_have_count(2)
    folds.last.locator("summary").click()
    draw_anew(page)
    expect(folds.last).to_have_attribute("open", "")
    expect(folds.first).not_to_have_attribute("open", "")
