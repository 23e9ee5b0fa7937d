"""Beside the form of a mapping row and in a request: what the engine says of it, and what it changes for codes in use."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dimensions.models import AskedCode, ChartOfAccounts
from dimensions.services import asking, judging, mappings, rehearsing
from dimensions.services.asking import Asked
from mdm.mapping import Equals, Row, compile
from mdm.models import ChangeRequest, Event
from mdm.services import changes
from mdm.services.changes import ProposedItem
from tests.people import actor, make, system
from tests.web.visitors import browser, number_of, page_of, read

pytestmark = pytest.mark.django_db
TODAY = timezone.localdate()
BESIDE = reverse("dimensions:mapping-row-typed", args=["gl-mappings"])


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[mappings._Kept]:
    kept = mappings._Kept()
    monkeypatch.setattr(mappings, "_KEPT", kept)
    for code in ("GROUP", "LOCAL"):
        make("chart_of_accounts", code=code, name=code)
    yield kept


@pytest.fixture
def mara() -> Client:
    return browser("mara", "steward")


def row(source: str | None, target: str, code: str, **values: Any) -> dict[str, Any]:
    given = {"name": f"Row {code}", "source_chart": "GROUP", "target_chart": "LOCAL", "kind": "explicit", "code": code}
    return make("gl_mapping", **{**given, "source": source, "target": target, **values})


def used(code: str, times: int = 1, **context: str) -> None:
    asking.note(uses=[Asked("gl_mapping", "GROUP", "LOCAL", context, TODAY, {code: times})])
    asking.count()


def typed(by: Client, uid: str = "", status: int = 200, **values: str) -> str:
    form = {"name": "New", "source_chart": "GROUP", "target_chart": "LOCAL", "kind": "explicit", **values}
    answer: Any = by.post(BESIDE + (f"?uid={uid}" if uid else ""), form)
    assert answer.status_code == status, answer.content.decode()[:1000]
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def test_the_form_asks_for_it_and_other_forms_do_not(mara: Client) -> None:
    made = row("1", "2", "R-1")
    assert f'hx-post="{BESIDE}"' in read(mara, reverse("web:record-new", args=["gl-mappings"]))
    assert f"{BESIDE}?uid={made['uid']}" in read(mara, reverse("web:record-edit", args=["gl-mappings", made["uid"]]))
    assert "typed/" in read(mara, reverse("web:record-new", args=["tax-code-mappings"]))
    assert "typed/" not in read(mara, reverse("web:record-new", args=["charts-of-accounts"]))


def test_it_waits_until_there_is_something_to_judge(mara: Client) -> None:
    assert "stands here once you have typed" in typed(mara, kind="")
    assert "stands here once you have typed" in typed(mara, source="4", source_chart="", target="1")
    assert "write one code: 400000" in typed(mara, target="1")
    assert "has two * in a row" in typed(mara, kind="like", source="4**", target="1")
    before = ChangeRequest.objects.count(), Event.objects.count()
    assert "wins somewhere, and no row of equal rank" in typed(mara, source="4", target="1")
    assert before == (ChangeRequest.objects.count(), Event.objects.count())


def test_findings_name_rows_with_links(mara: Client) -> None:
    made = row("400000..409999", "5100", "R-1", kind="between")
    narrow = row("400000..400009", "6", "R-2", kind="between", conditions=[{"dimension": "project", "codes": "P"}])
    overlap = typed(mara, kind="between", source="400001..410000", target="7")
    assert "equal in rank and both match 4" in overlap and "R-1" in overlap and "Overlap" in overlap
    never = typed(mara, kind="between", source="400000..409999", target="7", order="5")
    assert "always goes before it" in never and "Unreachable" in never
    shadowed = typed(mara, kind="between", source="400000..499999", target="7")
    assert "Shadowed" in shadowed and "R-1" in shadowed
    better = typed(mara, kind="between", source="400000..409999", target="7", order="-1")
    assert "With this row it never wins any more: R-1" in better and "R-2" not in better.split("never wins any more")[1]
    answer = mara.post(BESIDE, {"source_chart": "GROUP", "target_chart": "LOCAL", "kind": "between", "target": "7",
                                "source": "400000..409999"}).content.decode()  # fmt: skip
    assert reverse("web:record", args=["gl-mappings", made["uid"]]) in answer
    assert "Unreachable" in typed(mara, kind="between", source="400000..409999", target="7")
    same = typed(mara, uid=made["uid"], kind="between", source="400000..409999", target="7")
    assert "Unreachable" not in same, "a row is not held against itself"
    assert "Unreachable" not in typed(mara, uid=narrow["uid"], kind="between", source="400000..400009", target="8")


def test_what_the_row_would_change_for_codes_in_use(mara: Client) -> None:
    made = row("4*", "5100", "R-1", kind="like")
    used("400000", 3)
    used("400000", 2, legal_entity="NH10")
    used("400001", 9)
    used("999", 50)
    found = typed(mara, source="400000", target="6")
    assert "2 of 2 codes in their contexts asked for in the last 3 months would become something else" in found
    assert "400000 3 Another code 5100 like 4* 6 explicit 400000" in found and "legal entity NH10" in found
    assert "Nothing would change for 1 code" in typed(mara, source="400001", target="5100")
    assert "No code that these rows match was asked for" in typed(mara, source="7", target="1")
    narrower = typed(mara, uid=made["uid"], kind="like", source="40000?", target="5100")
    assert "Nothing would change for 3 codes" in narrower
    lost = typed(mara, uid=made["uid"], kind="like", source="9*", target="5100")
    assert "4 of 4" in lost and "Unmapped" in lost and "Mapped" in lost
    AskedCode.objects.update(month=date(TODAY.year - 1, 1, 1))
    assert "No code" in typed(mara, source="400000", target="6")
    later = f"{TODAY.year + 1}-05-01"
    used("400000")
    assert f"tried for 1 May {TODAY.year + 1}" in typed(mara, source="400000", target="6", valid_from=later)


def test_many_rows_take_a_fixed_number_of_queries_and_little_time(
    mara: Client, fresh: mappings._Kept, django_assert_max_num_queries: Any
) -> None:
    pair = mappings.Pair("gl_mapping", "GROUP", "LOCAL")
    rows = [Row(uuid.UUID(int=number), Equals(f"{number:06d}"), "1") for number in range(1, 10_001)]
    mappings.answers(*pair, [])
    fresh._sets[pair] = compile(rows, "gl_account")
    document = {
        "kind": "between",
        "source": "000100..019000",
        "target": "2",
        "source_chart": "GROUP",
        "target_chart": "LOCAL",
    }
    began = time.process_time()
    with django_assert_max_num_queries(5):
        found = judging.judge("gl_mapping", document, months=3)
    assert time.process_time() - began < 2.0  # measured: tests/bench
    assert [one.kind for one in found.findings] == ["shadowed"] and not found.partly


def test_large_mappings_are_judged_in_part_and_say_so(mara: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mappings, "SMALL", 1)
    monkeypatch.setattr(mappings, "WARMED_AFTER", 99)
    for number in range(3):
        row(f"40000{number}", "5100", f"R-{number}")
    assert "The mapping is large" in typed(mara, kind="like", source="4*", target="1")
    exact = typed(mara, source="400001", target="1")
    assert "The mapping is large" not in exact and "never wins" in exact


def test_tax_codes_have_the_same(mara: Client) -> None:
    system("sap")
    url = reverse("dimensions:mapping-row-typed", args=["tax-code-mappings"])
    answer: Any = mara.post(url, {"name": "T", "system": "sap", "kind": "explicit", "source": "V1", "target": "A1"})
    assert "Explicit V1 wins somewhere" in answer.content.decode()
    assert mara.post(reverse("dimensions:mapping-row-typed", args=["charts-of-accounts"])).status_code == 404
    assert browser("jonas", "auditor").post(url).status_code == 403


# --- of a request -------------------------------------------------------------------------------------------------------


def requested(*items: ProposedItem, **values: Any) -> ChangeRequest:
    return changes.propose(items=list(items), by=actor("rita", "requester"), **values)


def new(source: str, target: str, **values: Any) -> ProposedItem:
    patch = {"name": "N", "source_chart": "GROUP", "target_chart": "LOCAL", "kind": "explicit", "source": source}
    return ProposedItem(type="gl_mapping", action="create", patch={**patch, "target": target, **values})


def panel(by: Client, change: ChangeRequest, query: str = "") -> str:
    url = reverse("dimensions:mapping-rehearsal", args=[number_of(change)])
    assert url in read(by, page_of(change))
    return " ".join(re.sub(r"<[^>]+>", " ", read(by, url + query)).split())


def test_a_request_shows_what_all_of_its_rows_change_together(mara: Client) -> None:
    first, second = row("400000", "5100", "R-1"), row("4*", "5200", "R-2", kind="like")
    used("400000", 5)
    used("410000", 2)
    used("500000", 1)
    change = requested(
        ProposedItem(type="gl_mapping", uid=first["uid"], action="retire"),
        ProposedItem(type="gl_mapping", uid=second["uid"], patch={"target": "5300"}),
        new("500000", "1"),
    )
    found = panel(mara, change)
    assert "GL mapping GROUP → LOCAL" in found and "3 of 3 codes in their contexts" in found
    assert "400000 5 Another code 5100 explicit 400000 5300 like 4*" in found
    assert "500000 1 Mapped nothing 1 explicit 500000" in found
    file: Any = mara.get(reverse("dimensions:mapping-rehearsal-file", args=[number_of(change)]))
    text = b"".join(file.streaming_content).decode("utf-8-sig").splitlines()
    assert text[0].startswith("Mapping,From,To,Tried for,Code") and len(text) == 4
    assert text[1] == f"gl_mapping,GROUP,LOCAL,{TODAY},400000,,5,Another code,5100,1,5300,1"


def test_a_row_that_moves_is_rehearsed_in_both_mappings(mara: Client) -> None:
    make("chart_of_accounts", code="OTHER", name="Other")
    made = row("400000", "5100", "R-1")
    used("400000")
    asking.note(uses=[Asked("gl_mapping", "GROUP", "OTHER", {}, TODAY, {"400000": 1})])
    asking.count()
    found = panel(mara, requested(ProposedItem(type="gl_mapping", uid=made["uid"], patch={"target_chart": "OTHER"})))
    assert "400000 1 Unmapped 5100 explicit 400000 nothing" in found and "400000 1 Mapped nothing 5100" in found


def test_requests_without_mapping_rows_and_finished_ones_have_none(mara: Client) -> None:
    chart = ChartOfAccounts.objects.get(code="GROUP")
    other = requested(ProposedItem(type="chart_of_accounts", uid=str(chart.uid), patch={"name": "New name"}))
    assert "/mappings/requests/" not in read(mara, page_of(other))
    change = requested(new("1", "2"))
    changes.withdraw(change=change, by=actor("rita"), comment="No.")
    assert "/mappings/requests/" not in read(mara, page_of(change))
    assert read(mara, reverse("dimensions:mapping-rehearsal", args=[99_999_999]), status=404)


def test_too_many_rows_are_not_tried(mara: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsing, "MOST_ROWS", 1)
    assert "changes more than 1 rows: too many" in panel(mara, requested(new("1", "2"), new("2", "2")))
