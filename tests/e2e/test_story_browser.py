"""The story as people click it: a steward imports, merges and repairs, an approver decides, three platforms follow."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import database
from tests.e2e.blocked import is_blocked
from tests.fixtures_story import Story, until
from tests.story_extracts import FIRST, NAME, OTHER_NAME, ROWS, SECOND

pytestmark = [pytest.mark.slow, pytest.mark.browser]
TITLES = {"s4hana": "SAP S/4HANA", "coupa": "Coupa", "concur": "SAP Concur"}
VALID_IBAN = "DK5000400440116243"
CHANGED = "CHANGED INSIDE SAP"


@pytest.fixture
def people(browser: Browser, story: Story, request: pytest.FixtureRequest) -> Iterator[dict[str, Page]]:
    """The steward's and the approver's browsers, each signed in."""
    contexts = {role: browser.new_context(viewport={"width": 1440, "height": 1000}) for role in ("steward", "approver")}
    pages = {role: context.new_page() for role, context in contexts.items()}
    complaints: list[str] = []
    for role, page in pages.items():
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        _sign_in(page, story, role)
    yield pages
    for role, page in pages.items():
        if getattr(request.node, "failed", False):
            folder = database.VAR / "pictures"
            folder.mkdir(exist_ok=True)
            page.screenshot(path=folder / f"story-{role}.png", full_page=True)
        contexts[role].close()
    assert complaints == [], "the browser complained"


def _sign_in(page: Page, story: Story, role: str) -> None:
    username, password = story.passwords[role]
    page.goto(story.hub.base_url)
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def test_the_story_in_the_browser(story: Story, people: dict[str, Page]) -> None:
    steward, approver = people["steward"], people["approver"]
    story.know_columns()
    for system in FIRST:
        _import(steward, story, system)
    _correct_a_row(steward)
    story.connect()
    before = {name: set(side.records()) for name, side in story.sides.items()}
    _propose_merge(steward)
    number = _own_request_cannot_be_approved(steward)
    _approve(approver, number)
    _everything_arrived(steward, story, before)
    _push_everything_to_the_erp(steward, story)
    _drift(steward, story)


def _open(page: Page, place: str) -> None:
    """By the rail, as a person goes there."""
    page.get_by_role("navigation", name="Main").get_by_role("link", name=place, exact=False).first.click()
    expect(page.get_by_role("heading", level=1, name=place)).to_be_visible()


def _import(page: Page, story: Story, system: str) -> None:
    _open(page, "Imports")
    page.get_by_role("link", name="Import a file").first.click()
    page.get_by_label("File", exact=True).set_input_files(story.files[system])
    page.get_by_label("System").select_option(label=TITLES[system])
    page.get_by_role("button", name="Read the columns").click()
    expect(page.get_by_text("recognised").first).to_be_visible()
    page.get_by_role("button", name="Run the import").click()
    expect(page.get_by_role("heading", name="What became of each row")).to_be_visible(timeout=40_000)
    expect(page.get_by_text(re.compile(rf"\b{ROWS}\b")).first).to_be_visible()


def _correct_a_row(page: Page) -> None:
    """The ERP's file left a row with a wrong IBAN in quarantine: put right in the grid and sent again."""
    _open(page, "Imports")
    page.get_by_role("link", name="s4hana_suppliers.csv").click()
    page.get_by_label(re.compile(r"^IBAN, row")).first.fill(VALID_IBAN)
    page.get_by_label(re.compile(r"^Select row")).first.check()
    page.get_by_role("button", name="Resubmit").click()
    expect(page.get_by_label(re.compile(r"^Select row"))).to_have_count(1, timeout=40_000)


def _propose_merge(page: Page) -> None:
    _open(page, "Duplicates")
    page.get_by_role("region", name="Queue").get_by_role("link").filter(has_text=re.compile("haldenwerk", re.I)).click()
    pair = page.get_by_role("article")
    expect(pair.get_by_text(OTHER_NAME).first).to_be_visible()
    pair.get_by_role("link", name="Preview merge").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Merge into {NAME}")
    terms = page.get_by_role("row", name=re.compile("^Payment terms"))
    terms.get_by_label("NET45").check()
    expect(terms.locator(".merge-result")).to_contain_text("NET45")
    page.get_by_label("Why are they the same").fill("The same company, entered twice on every platform.")
    page.get_by_role("button", name="Send merge for approval").click()


def _own_request_cannot_be_approved(page: Page) -> str:
    """Four eyes: the one who asked reads why not; the number of the request."""
    expect(page).to_have_url(re.compile(r"/requests/\d+/"))
    decide = page.get_by_role("form", name="Decide")
    expect(decide).to_contain_text("somebody else must decide")
    expect(decide.get_by_role("button", name="Approve")).to_have_count(0)
    return re.search(r"/requests/(\d+)/", page.url)[1]  # type: ignore[index]


def _approve(page: Page, number: str) -> None:
    _open(page, "Inbox")
    page.get_by_role("link").filter(has_text="Merge 2 records").first.click()
    page.get_by_role("link", name="Open full review").click()
    expect(page).to_have_url(re.compile(rf"/requests/{number}/"))
    expect(page.locator("#diff")).to_contain_text("NET45")
    page.get_by_role("form", name="Decide").get_by_role("button", name="Approve").click()
    expect(page.locator(".page-title")).to_contain_text("Applied")


def _everything_arrived(page: Page, story: Story, before: dict[str, set[str]]) -> None:
    """On the record's page every target holds it; behind the scenes each updated one key and blocked the other."""
    _open(page, "Suppliers")
    page.get_by_role("searchbox").last.fill("Haldenwerk")
    page.keyboard.press("Enter")
    page.get_by_role("link", name=NAME).first.click()
    page.get_by_role("link", name=re.compile("^Sync|^Deliver|^Targets")).last.click()
    table = page.get_by_role("table", name="State at every target")

    def done() -> bool:
        page.reload()
        rows = [row.inner_text() for row in table.get_by_role("row").all()[1:]]
        return len(rows) >= 3 and not any(
            re.search("waiting|sending|pending|in flight|queued", row, re.I) for row in rows
        )

    until(done, "the three targets have answered", 45)
    uid = re.search(r"/records/suppliers/([0-9a-f-]+)/", page.url)[1]  # type: ignore[index]
    assert {row["state"] for row in story.settled(uid)} == {"posted"}
    for system, side in story.sides.items():
        held = side.records()
        assert set(held) == before[system], f"nothing was doubled at {system}"
        assert is_blocked(system, held[SECOND[system]]) and not is_blocked(system, held[FIRST[system]])
        assert {effect["kind"] for effect in side.effects()} == {"updated"}


def _push_everything_to_the_erp(page: Page, story: Story) -> None:
    """Planned first: what would be created and changed is shown before anything is written."""
    _open(page, "Targets")
    card = page.get_by_role("region", name="SAP S/4HANA")
    card.get_by_role("link", name="Push…").click()
    page.get_by_role("button", name="Plan it first").click()
    page.get_by_role("button", name="Apply the plan").click(timeout=40_000)
    page.get_by_role("dialog").get_by_role("button", name="Apply the plan").click()
    expect(page.get_by_text("Done", exact=True).first).to_be_visible(timeout=60_000)

    def sent() -> bool:
        _open(page, "Targets")
        return bool(card.locator("dt:has-text('Waiting') + dd").inner_text().strip() == "0")

    until(sent, "the ERP has everything", 60)


def _look(page: Page) -> None:
    """A drift run at the ERP, from its card to its end."""
    _open(page, "Targets")
    page.get_by_role("region", name="SAP S/4HANA").get_by_role("button", name="Look for drift").click()
    expect(page.get_by_text("Looking at what SAP S/4HANA holds")).to_be_visible()

    def ended() -> bool:
        _open(page, "Drift")
        return page.get_by_role("progressbar", name="Records compared").count() == 0

    until(ended, "the look at the ERP has ended", 45)


def _drift(page: Page, story: Story) -> None:
    _look(page)
    findings = page.locator("#findings")
    expect(findings.get_by_role("checkbox")).to_have_count(0)
    side = story.sides["s4hana"]
    side.mutate(FIRST["s4hana"], "A_BusinessPartner.OrganizationBPName1", CHANGED)
    _look(page)
    row = findings.get_by_role("row").filter(has_text=CHANGED)
    expect(row).to_contain_text(NAME)
    row.locator("summary").click()
    row.get_by_role("button", name="Push ours").click()
    until(lambda: _name_at(side) == NAME, "the ERP holds our name again")
    _look(page)
    expect(page.get_by_text(CHANGED)).to_have_count(0)
    expect(findings.get_by_role("checkbox")).to_have_count(0)
    assert [
        row for row in story.by("operator").all("drift-findings/", target="s4hana") if row["state"] != "resolved"
    ] == []


def _name_at(side: Any) -> Any:
    return side.records()[FIRST["s4hana"]]["A_BusinessPartner.OrganizationBPName1"]
