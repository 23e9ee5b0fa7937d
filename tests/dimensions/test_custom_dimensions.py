"""Dimensions of the group's own: declared in the admin, approved like everything, and then on every page at once."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from dimensions.models import Dimension, DimensionValue
from mdm.errors import CorrectInput
from mdm.models import ChangeRequest, RecordVersion
from mdm.services import changes, importing, loading
from mdm.services.proposing import ProposedItem
from tests.people import SETUP, actor, auto_approve, make, person, system
from tests.web.visitors import browser, queries, read

pytestmark = pytest.mark.django_db
ADD = "/admin/dimensions/dimension/add/"
GIVEN = {
    "code": "REGION", "name": "Sales region", "description": "", "values": "NORTH Northern region\nSOUTH\n", "why": "Asked for",
}  # fmt: skip


@pytest.fixture
def gita() -> Client:
    cache.clear()
    user = person("gita", "governance")
    user.is_staff = True
    user.save()
    client = Client()
    client.force_login(user)
    return client


def approve(change: ChangeRequest) -> ChangeRequest:
    return changes.approve(change=change, by=actor("stan", "steward"), content_hash=change.content_hash)


def nothing_came_of(answer: Any) -> str:
    assert answer.status_code == 200 and not ChangeRequest.objects.exists() and not Dimension.objects.exists()
    return str(answer.content.decode())


def test_declaring_one_proposes_it_with_its_first_values(gita: Client, django_capture_on_commit_callbacks: Any) -> None:
    nora = browser("nora", "requester")
    assert "/dimensions/REGION/" not in read(nora, "/")
    answer = gita.post(ADD, GIVEN)
    change = ChangeRequest.objects.get()
    assert answer["Location"] == f"/requests/{10_000 + change.pk}/"
    assert (change.state, change.requester_name, change.reason) == ("in_review", "Gita", "Asked for")
    assert not Dimension.objects.exists() and not DimensionValue.objects.exists()
    assert change.number in read(gita, "/admin/dimensions/dimension/")
    with django_capture_on_commit_callbacks(execute=True):
        assert approve(change).state == "applied"
    values = DimensionValue.objects.order_by("value").values_list("code", "dimension", "value", "name", "validity")
    assert list(values) == [
        ("REGION/NORTH", "REGION", "NORTH", "Northern region", "current"),
        ("REGION/SOUTH", "REGION", "SOUTH", "SOUTH", "current"),
    ]
    assert "/dimensions/REGION/" in read(nora, "/")
    page = read(nora, "/dimensions/REGION/")
    assert "Northern region" in page and "Propose value" in page and "?dimension=REGION" in page
    form = read(nora, "/records/dimension-values/new/?dimension=REGION")
    assert '<option value="REGION" selected' in form
    assert "Northern region" in read(nora, "/search/?q=NORTH")
    assert ">2<" in read(gita, "/admin/dimensions/dimension/")


def test_its_page_shows_its_own_values_alone(gita: Client) -> None:
    make("dimension", code="REGION", name="Region")
    make("dimension", code="CHANNEL", name="Channel")
    make("dimension_value", dimension="REGION", value="NORTH", name="Northern region")
    make("dimension_value", dimension="CHANNEL", value="WEB", name="Web shop")
    page = read(gita, "/dimensions/REGION/")
    assert ">Northern region</a>" in page and ">Web shop</a>" not in page
    assert queries(gita, "/dimensions/REGION/") <= 24
    assert "Nothing fits" in read(gita, "/dimensions/REGION/?q=shop")
    assert "There is no such dimension" in read(gita, "/dimensions/NONE/", 404)
    exported = gita.get("/records/dimension-values/export/?dimension=REGION&format=csv")
    assert b"Web shop" not in b"".join(exported.streaming_content)  # type: ignore[attr-defined]


def test_a_dimension_gets_more_values_and_another_name(gita: Client) -> None:
    auto_approve("web")
    gita.post(ADD, GIVEN)
    row = Dimension.objects.get()
    url = f"/admin/dimensions/dimension/{row.pk}/change/"
    more = {"name": "Region", "description": "Where it is sold", "values": "NORTH Nord\nWEST", "why": "One was missing"}
    gita.post(url, more)
    row.refresh_from_db()
    assert (row.name, row.version) == ("Region", 2)
    assert list(DimensionValue.objects.order_by("value").values_list("value", "name")) == [
        ("NORTH", "Northern region"), ("SOUTH", "SOUTH"), ("WEST", "WEST"),
    ]  # fmt: skip
    count = ChangeRequest.objects.count()
    answer = gita.post(url, more)
    assert "Nothing would change" in answer.content.decode() and ChangeRequest.objects.count() == count


def test_what_is_wrong_is_told_at_its_field_and_nothing_is_kept(gita: Client) -> None:
    assert "NO RTH" not in nothing_came_of(gita.post(ADD, {**GIVEN, "code": "RE GION"}))
    page = nothing_came_of(gita.post(ADD, {**GIVEN, "values": "NORTH\nNORTH Again"}))
    assert "NORTH: REGION/NORTH has the same dimension and value" in page
    assert "ÄÖ: " in nothing_came_of(gita.post(ADD, {**GIVEN, "values": "ÄÖ"}))
    assert "at most 500" in nothing_came_of(gita.post(ADD, {**GIVEN, "values": "\n".join(f"V{n}" for n in range(501))}))


def test_only_governance_leads_come_in_and_nobody_takes_one_away(gita: Client) -> None:
    assert browser("nora", "requester").get(ADD).status_code == 302
    make("dimension", code="REGION", name="Region")
    row = Dimension.objects.get()
    assert gita.post(f"/admin/dimensions/dimension/{row.pk}/delete/", {"post": "yes"}).status_code == 403


def refused(path: str, **patch: Any) -> str:
    before = RecordVersion.objects.count()
    with pytest.raises(CorrectInput) as caught:
        make("dimension_value", **patch)
    assert RecordVersion.objects.count() == before
    assert [problem.path for problem in caught.value.problems] == [path], caught.value.problems
    return caught.value.problems[0].message


def test_a_value_is_one_of_its_dimension_and_so_is_what_stands_above_it() -> None:
    make("dimension", code="REGION", name="Region")
    make("dimension", code="CHANNEL", name="Channel")
    make("dimension_value", dimension="CHANNEL", value="WEB", name="Web")
    north = make("dimension_value", dimension="REGION", value="NORTH", name="North")
    made = make("dimension_value", dimension="REGION", value="HH", name="Hamburg", parent="REGION/NORTH")
    assert (made["code"], made["parent"]) == ("REGION/HH", "REGION/NORTH")
    refused("dimension", dimension="NONE", value="X", name="X")
    assert "REGION/NORTH has the same" in refused("value", dimension="REGION", value="NORTH", name="Again")
    assert "a value of CHANNEL" in refused("parent", dimension="REGION", value="X", name="X", parent="CHANNEL/WEB")
    assert "no dimension value" in refused("parent", dimension="REGION", value="X", name="X", parent="REGION/NONE")
    with pytest.raises(CorrectInput, match="above itself"):
        changes.propose(
            items=[ProposedItem(type="dimension_value", uid=north["uid"], patch={"parent": "REGION/HH"})], by=SETUP
        )


def test_a_long_value_gets_a_number_for_its_code() -> None:
    make("dimension", code="A-DIMENSION-WITH-A-LONG-CODE", name="Long")
    made = make("dimension_value", dimension="A-DIMENSION-WITH-A-LONG-CODE", value="AND-A-LONG-VALUE", name="Long")
    assert made["code"].startswith("DV-")


def test_two_of_the_same_in_one_request_are_refused() -> None:
    make("chart_of_accounts", code="GROUP", name="Group")
    account = {"chart": "GROUP", "number": "4000", "name": "Material", "kind": "expense"}
    items = [ProposedItem(type="gl_account", action="create", patch=account) for _ in range(2)]
    with pytest.raises(CorrectInput) as caught:
        changes.propose(items=items, by=SETUP)
    assert [problem.path for problem in caught.value.problems] == ["items/1/number"]


def test_a_file_of_values_becomes_records_with_their_own_codes_and_meets_those_that_are_there() -> None:
    auto_approve("import")
    make("dimension", code="REGION", name="Region")
    make("dimension_value", dimension="REGION", value="NORTH", name="North")
    mapping = {"key": "id", "const": {"dimension": "REGION"}, "columns": {"value": "value", "name": "name"}}
    rows = "id;value;name\n1;NORTH;Northern region\n2;SOUTH;South\n3;SOUTH;South again\n"
    job = importing.receive(
        system=system("erp"), type="dimension_value", file_name="values.csv", stream=io.BytesIO(rows.encode()),
        by=actor("mara", "steward"), mapping=mapping,
    )  # fmt: skip
    loading.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.linked, job.new) == ("done", 2, 1), job.error
    assert list(DimensionValue.objects.order_by("code").values_list("code", flat=True)) == [
        "REGION/NORTH",
        "REGION/SOUTH",
    ]
