"""Stewards' pages at 390 px: nothing sticks out sideways, and what is drawn is the drawing made for that width."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from mdm import registry
from mdm.models import ChangeRequest, DuplicatePair
from mdm.services import changes, merging, unmerging
from mdm.types import Document
from tests.e2e.test_duplicates_browser import pairs, steward  # noqa: F401  (a fixture)
from tests.fixtures_story import Story
from tests.people import actor, supplier

pytestmark = [pytest.mark.slow, pytest.mark.browser]


def sticks_out(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def approved(change: ChangeRequest) -> ChangeRequest:
    if change.state == "in_review":
        by = actor("ann", "approver", "steward")
        change = changes.approve(change=change, by=by, content_hash=change.content_hash)
    assert change.state == "applied"
    return change


def merged_twice() -> Document:
    """A record that took in two others and gave one back."""
    one, two, three = (supplier(legal_name=f"Kieswerk Sonnentau {n}, eine Firma mit langem Namen") for n in range(3))
    kind, by = registry.get("supplier"), actor("norbert", "steward")
    first = approved(merging.propose(kind=kind, survivor=one["uid"], losers=[two["uid"]], by=by))
    approved(merging.propose(kind=kind, survivor=one["uid"], losers=[three["uid"]], by=by))
    approved(unmerging.propose(merge=first, by=by, reason="Two companies"))
    return one


def test_nothing_sticks_out_and_names_stay_in_view(house: Story, steward: Page) -> None:  # noqa: F811
    page, base = steward, house.hub.base_url
    page.set_viewport_size({"width": 390, "height": 844})
    pairs(2)
    pair, record = DuplicatePair.objects.order_by("pk")[0], merged_twice()
    cluster = f"{base}/records/suppliers/{pair.left}/cluster/"
    uids = "&".join(f"uid={uid}" for uid in (pair.left, pair.right, record["uid"]))
    for path in (
        "duplicates/",
        f"duplicates/{pair.uid}/",
        f"duplicates/{pair.uid}/merge/",
        "matching/",
        "survivorship/",
    ):
        page.goto(f"{base}/{path}")
        assert sticks_out(page) == 0, path

    page.goto(f"{base}/duplicates/")
    page.get_by_text("Add filter").click()
    expect(page.get_by_label("Warning")).to_be_visible()
    assert sticks_out(page) == 0
    box = page.locator(".filters .menu-panel").bounding_box()
    assert box and box["x"] >= 0 and box["x"] + box["width"] <= 390

    page.goto(f"{base}/duplicates/{pair.uid}/")
    expect(page.locator(".waterfall-why").get_by_text(re.compile("shared by 2 suppliers")).first).to_be_visible()

    page.goto(cluster)
    expect(page.locator(".graph--narrow")).to_be_visible()
    expect(page.locator(".graph:not(.graph--narrow)")).to_be_hidden()
    for label in page.locator(".graph--narrow .graph-node text").all():
        place = label.bounding_box()
        assert place and place["x"] >= 0 and place["x"] + place["width"] <= 390

    page.goto(f"{base}/records/suppliers/{record['uid']}/timeline/")
    assert sticks_out(page) == 0
    lanes = page.locator(".family-down")
    expect(lanes).to_be_visible()
    expect(page.locator(".family-across")).to_be_hidden()
    for label in lanes.locator("text").all():
        place = label.bounding_box()
        assert place and place["x"] >= 0 and place["x"] + place["width"] <= 390, label.text_content()
    expect(lanes.get_by_text("taken apart")).to_have_count(1)
    expect(page.locator(".lanes-narrow").get_by_text("Legal name")).to_be_visible()

    page.goto(f"{base}/records/suppliers/compare/?{uids}")
    expect(page.locator(".compare--many thead a", has_text=record["code"])).to_be_visible()
    assert (
        sticks_out(page) == 0
        and page.locator(".compare-box .table-scroll").evaluate("e => e.scrollWidth - e.clientWidth") == 0
    )


def test_a_discarded_draft_comes_back_by_one_key(house: Story, steward: Page) -> None:  # noqa: F811
    page, base = steward, house.hub.base_url
    known = supplier(legal_name="Quarzwerk Nordlicht GmbH")
    page.goto(f"{base}/records/suppliers/new/")
    page.get_by_label("Legal name").fill("Quarzwerk Nordlicht")
    page.get_by_role("button", name="Open the existing record").click()
    page.get_by_role("button", name="Discard and open it").click()
    page.wait_for_url(re.compile(known["uid"]))
    expect(page.get_by_text("What you typed is discarded.")).to_be_visible()
    page.keyboard.press("z")
    expect(page.get_by_label("Legal name")).to_have_value("Quarzwerk Nordlicht")
    expect(page.locator("#similar").get_by_text(known["code"])).to_be_visible()
