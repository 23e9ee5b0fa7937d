"""A controller's month in the browser: cost centers from a file, a subtree moved from next month, an open account mapped, and
a coding that may be posted on one day and not on another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from dimensions.models import CostCenter, HierarchyNode
from dimensions.selectors.trees import Stored
from mdm.models import ChangeRequest
from mdm.services import changes
from tests.fixtures_story import Story
from tests.people import actor, make

pytestmark = [pytest.mark.slow, pytest.mark.browser]
TODAY = date.today()
NEXT = (TODAY.replace(day=1) + timedelta(days=32)).replace(day=1)
GROUPS = (("NORDHAVEN", None), ("SPAIN", "NORDHAVEN"), ("PORTUGAL", "NORDHAVEN"), ("PORTO", "SPAIN"))


@pytest.fixture
def steward(browser: Browser, house: Story) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(20_000)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    username, password = house.passwords["steward"]
    page.goto(house.hub.base_url)
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    yield page
    context.close()
    assert complaints == [], "the browser complained"


def test_a_controllers_month(house: Story, steward: Page, tmp_path: Path) -> None:
    make("hierarchy", code="ORG", name="Organisation", members="cost_center")
    for node, parent in GROUPS:
        make("hierarchy_node", hierarchy="ORG", node=node, parent=parent, kind="group", name=node.title())
    _centers_from_a_file(steward, tmp_path)
    for node in ("ES-1000", "ES-3100"):
        make("hierarchy_node", hierarchy="ORG", node=node, parent="PORTO")
    _a_subtree_moves_from_next_month(steward, house)
    _an_open_account_is_mapped(steward, house)
    _a_coding_before_and_after(steward, house)


def _centers_from_a_file(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "centers.csv"
    file.write_text(
        "Cost Center;Name;Legal Entity;Category;Valid From\n"
        "ES-1000;Dirección;NH40;management;\n"
        f"ES-3100;Almacén Oporto;NH40;logistics;{NEXT}\n"
    )
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Imports").click()
    page.get_by_role("link", name="Import a file").first.click()
    page.get_by_label("File", exact=True).set_input_files(file)
    page.get_by_label("System").select_option(label="SAP S/4HANA")
    page.get_by_label("Records").select_option(label="Cost centers")
    page.get_by_role("button", name="Read the columns").click()
    expect(page.get_by_text("recognised").first).to_be_visible()
    page.get_by_role("button", name="Run the import").click()
    expect(page.get_by_role("heading", name="What became of each row")).to_be_visible(timeout=60_000)
    made = CostCenter.objects.filter(legal_entity="NH40").order_by("code")
    assert list(made.values_list("code", "name", "validity")) == [
        ("ES-1000", "Dirección", "current"), ("ES-3100", "Almacén Oporto", "planned"),
    ]  # fmt: skip


def _a_subtree_moves_from_next_month(page: Page, house: Story) -> None:
    page.goto(f"{house.hub.base_url}/hierarchies/ORG/?open=NORDHAVEN,SPAIN,PORTO&on={NEXT}")
    page.locator("#row-PORTO .tree-link").click()
    expect(page.get_by_role("heading", name=re.compile("Porto"))).to_be_visible()
    page.locator("summary", has_text="Move").click()
    page.get_by_label("Under").fill("PORTUGAL")
    page.locator("#move-from").fill(NEXT.isoformat())
    page.get_by_role("button", name="Move it").click()
    expect(page.get_by_text("Moves to PORTUGAL")).to_be_visible()
    page.get_by_role("button", name="Propose 1 change").click()
    page.get_by_role("dialog").get_by_label("Why?").fill("Porto is run from Lisbon")
    page.get_by_role("dialog").get_by_role("button", name="Propose", exact=True).click()
    expect(page).to_have_url(re.compile(r"/requests/\d+/"))
    _approved(page)
    assert [one.node for one in Stored("ORG", NEXT - timedelta(days=1)).way("ES-1000")][-3:] == [
        "SPAIN",
        "PORTO",
        "ES-1000",
    ]
    assert [one.node for one in Stored("ORG", NEXT).way("ES-1000")][-3:] == ["PORTUGAL", "PORTO", "ES-1000"]
    assert HierarchyNode.objects.get(node="PORTO").version == 2


def _an_open_account_is_mapped(page: Page, house: Story) -> None:
    page.goto(f"{house.hub.base_url}/mappings/?from=NH-GROUP&to=NH-DE")
    row = page.locator("#unmapped").get_by_role("row", name=re.compile("490000"))
    row.get_by_role("link", name="Map it").click()
    expect(page.get_by_label(re.compile("^Accounts"))).to_have_value("490000")
    page.get_by_label("Account there").fill("6805")
    page.get_by_role("button", name=re.compile("^(Propose|Send)")).last.click()
    expect(page).to_have_url(re.compile(r"/requests/\d+/"))
    _approved(page)
    page.goto(f"{house.hub.base_url}/mappings/?from=NH-GROUP&to=NH-DE")
    expect(page.locator("#unmapped").get_by_role("row", name=re.compile("490000"))).to_have_count(0)


def _approved(page: Page) -> None:
    """By somebody else."""
    number = int(re.search(r"/requests/(\d+)/", page.url)[1])  # type: ignore[index]
    change = ChangeRequest.objects.get(pk=number - 10_000)
    assert change.state == "in_review"
    done = changes.approve(change=change, by=actor("lena", "lead_steward"), content_hash=change.content_hash)
    assert done.state == "applied"


def _a_coding_before_and_after(page: Page, house: Story) -> None:
    """The warehouse opens next month: a day too early it is refused in words, on the day it may be posted."""
    page.goto(f"{house.hub.base_url}/codings/")

    def check(day: date) -> None:
        page.get_by_label("Posting date").fill(day.isoformat())
        page.get_by_label("Legal entity").fill("NH40")
        page.get_by_label("Cost center").fill("ES-3100")
        page.get_by_label("GL account").fill("490000")
        page.get_by_role("button", name="Check it").click()

    check(NEXT - timedelta(days=1))
    expect(page.locator("#outcome")).to_contain_text("It may not be posted on")
    expect(page.locator("#outcome")).to_contain_text("ES-3100")
    check(NEXT)
    expect(page.locator("#outcome")).to_contain_text("It may be posted on")
