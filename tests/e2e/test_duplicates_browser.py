"""A steward goes through the queue by keyboard: judges, skips, undoes, says a relation; no page is loaded anew."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from mdm.models import ChangeRequest, DuplicatePair, MatchDecision
from tests.fixtures_story import Story, until
from tests.people import supplier

pytestmark = [pytest.mark.slow, pytest.mark.browser]


COMPANIES = (
    ("Trave Tuchfabrik", "Speicherweg 3", "Lübeck", "23552"),
    ("Bodensee Brauhaus", "Seestr. 41", "Konstanz", "78462"),
    ("Harzer Hebezeuge", "Bergmannsgasse 7", "Goslar", "38640"),
    ("Mosel Messtechnik", "Uferallee 19", "Trier", "54290"),
)


def pairs(count: int) -> None:
    for name, street, city, postal_code in COMPANIES[:count]:
        at = {"kind": "registered", "lines": [street], "city": city, "postal_code": postal_code, "country": "DE"}
        for form in ("GmbH", ""):
            supplier(legal_name=f"{name} {form}".strip(), addresses=[at])
    assert DuplicatePair.objects.filter(state="open").count() == count


@pytest.fixture
def steward(house: Story, page: Page) -> Page:
    username, password = house.passwords["steward"]
    page.goto(house.hub.base_url)
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    return page


def shown(page: Page) -> str:
    """uid of the pair beside the queue."""
    return re.search(r"/duplicates/([0-9a-f-]{36})/", page.url)[1]  # type: ignore[index]


def state(uid: str) -> str:
    return str(DuplicatePair.objects.get(uid=uid).state)


def test_the_queue_by_keyboard(house: Story, steward: Page) -> None:
    page = steward
    pairs(4)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.goto(f"{house.hub.base_url}/duplicates/")
    rows = page.get_by_role("region", name="Queue").get_by_role("link")
    expect(rows).to_have_count(4)
    page.evaluate("window.sameDocument = true")

    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    expect(rows.nth(0)).to_be_focused()
    page.keyboard.press("Enter")
    title = page.get_by_role("heading", name="Are these the same supplier?")
    expect(title).to_be_focused()
    first = shown(page)

    page.keyboard.press("d")
    until(lambda: state(first) == "different", "the first pair is judged")
    expect(rows).to_have_count(3)
    expect(page.get_by_text("Judged different")).to_be_visible()
    expect(title).to_be_focused()
    second = shown(page)
    assert second != first

    page.keyboard.press("k")  # skip: nothing is judged
    page.wait_for_url(lambda url: second not in url)
    third = shown(page)
    assert third not in (first, second) and state(second) == "open"

    page.keyboard.press("u")
    until(lambda: state(third) == "unsure", "the third pair is kept as unsure")
    expect(rows).to_have_count(2)

    fourth = shown(page)
    page.keyboard.press("r")
    relation = page.get_by_role("button", name="They are sister companies")
    expect(relation).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("is the parent of")).first).to_be_focused()
    relation.click()
    until(lambda: state(fourth) == "related", "the fourth pair is of one group")
    assert ChangeRequest.objects.filter(state="in_review").count() == 1
    assert page.evaluate("window.sameDocument") is True, "the page was loaded anew"

    page.goto(f"{house.hub.base_url}/")  # away, and back: the last judgement can still be undone
    page.goto(f"{house.hub.base_url}/duplicates/")
    expect(page.get_by_role("button", name="Undo your last judgement")).to_be_visible()
    page.keyboard.press("z")
    until(lambda: state(fourth) == "open", "the last judgement is taken back")
    page.wait_for_url(re.compile(fourth))
    assert ChangeRequest.objects.filter(state="in_review").count() == 0
    assert MatchDecision.objects.count() == 4

    page.get_by_label("Reason, optional").fill("same, different")  # letters typed are no commands
    assert state(fourth) == "open"
    page.keyboard.press("Escape")
    page.locator("#detail-title").focus()
    page.keyboard.press("?")
    expect(page.get_by_text("Duplicates: same, different, same group, unsure")).to_be_visible()
    assert complaints == [], "the browser complained"


def test_a_refusal_is_read_where_one_is(house: Story, steward: Page) -> None:
    """The evidence changed while the pair was open on the screen: nothing is judged, and the words say so."""
    page = steward
    pairs(1)
    pair = DuplicatePair.objects.get()
    page.goto(f"{house.hub.base_url}/duplicates/{pair.uid}/")
    DuplicatePair.objects.update(evidence_hash="0" * 64)
    page.keyboard.press("s")
    expect(page.get_by_text("The records have changed since you opened this pair")).to_be_visible()
    assert not MatchDecision.objects.exists() and state(str(pair.uid)) == "open"
