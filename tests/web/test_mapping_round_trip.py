"""Rows of a mapping as a file and back: what is added, changed, left, refused and dropped, said before anything is proposed."""

from __future__ import annotations

import csv
import io
import random
import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from dimensions.mapping_rows import BUILT_IN
from dimensions.models import GLMapping, MappingFile
from dimensions.services import mappings, row_files, row_plans
from mdm.models import ChangeRequest, Event
from mdm.services import changes
from mdm.services.changes import ProposedItem
from tests.people import SETUP, actor, auto_approve, make, system
from tests.web.visitors import browser, read

pytestmark = pytest.mark.django_db
PAIR = mappings.Pair("gl_mapping", "GROUP", "LOCAL")
QUERY = "?kind=gl_mapping&from=GROUP&to=LOCAL"
ROWS, EXPORT = reverse("dimensions:mapping-rows"), reverse("dimensions:mapping-rows-export")


@pytest.fixture(autouse=True)
def charts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mappings, "_KEPT", mappings._Kept())
    for code in ("GROUP", "LOCAL"):
        make("chart_of_accounts", code=code, name=code)


@pytest.fixture
def mara() -> Client:
    return browser("mara", "steward")


def row(source: str | None, target: str, code: str, **values: Any) -> dict[str, Any]:
    given = {"name": f"Row {code}", "source_chart": "GROUP", "target_chart": "LOCAL", "kind": "explicit", "code": code}
    return make("gl_mapping", **{**given, "source": source, "target": target, **values})


def some() -> None:
    row("400000", "5100", "R-1", note="=1+1", flip=True, order=3, valid_from="2026-01-01")
    row("47*", "66*", "R-2", kind="like", conditions=[{"dimension": "legal_entity", "codes": "NH10, NH20"}])
    row(None, "9", "R-3", kind="multi", conditions=[{"dimension": "cost_center", "codes": "1..5"}])


def exported(by: Client, format_: str = "csv") -> bytes:
    answer: Any = by.get(f"{EXPORT}{QUERY}&format={format_}")
    assert answer.status_code == 200
    return b"".join(answer.streaming_content)


def table(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


def written(rows: list[dict[str, str]]) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def send(by: Client, content: bytes, mode: str = "merge", name: str = "rows.csv", status: int = 302) -> MappingFile:
    answer = by.post(ROWS + QUERY, {"file": SimpleUploadedFile(name, content), "mode": mode})
    assert answer.status_code == status, answer.content.decode()[:500]
    return MappingFile.objects.latest("pk")


def words(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def shown(by: Client, held: MappingFile) -> str:
    return words(read(by, reverse("dimensions:mapping-file", args=[held.uid])))


def counts(held: MappingFile) -> dict[str, int]:
    return {name: number for name, number in held.counts.items() if number}


def propose(by: Client, held: MappingFile, status: int = 302) -> str:
    answer = by.post(reverse("dimensions:mapping-file-send", args=[held.uid]), {"reason": "New books"})
    assert answer.status_code == status
    return words(answer.content.decode())


@pytest.mark.parametrize("format_", ["csv", "xlsx"])
@pytest.mark.parametrize("mode", ["merge", "replace"])
def test_what_was_taken_out_comes_back_as_it_was(mara: Client, format_: str, mode: str) -> None:
    some()
    before = ChangeRequest.objects.count(), Event.objects.count()
    content = exported(mara, format_)
    held = send(mara, content, mode, f"rows.{format_}")
    assert (held.state, counts(held)) == ("ready", {"unchanged": 3})
    assert "Nothing would change." in shown(mara, held) and "Nothing would change." in propose(mara, held, 422)
    assert before == (ChangeRequest.objects.count(), Event.objects.count())
    if format_ == "csv":
        assert b"'=1+1" in content, "formulas are made harmless"


def test_merging_adds_and_changes_and_leaves_the_rest(mara: Client) -> None:
    some()
    rows = table(exported(mara))
    first = next(one for one in rows if one["Code"] == "R-1")
    second = next(one for one in rows if one["Code"] == "R-2")
    second |= {"Target": "67*", "When legal_entity": "", "When project": "P", "Turns sign": "x"}
    new = dict.fromkeys(first, "") | {"Name": "New", "Kind": "Between", "Source": "1..5", "Target": "7"}
    held = send(mara, written([second, new]))
    assert counts(held) == {"added": 1, "changed": 1}
    page = shown(mara, held)
    assert "Account there 66* → 67*" in page and "legal entity NH10, NH20 → –" in page and "project – → P" in page
    assert "1..5 → 7" in page and "Turns the sign no → yes" in page
    propose(mara, held)
    change = ChangeRequest.objects.get(origin="import")
    assert (change.items.count(), change.reason, change.state) == (2, "New books", "in_review")
    assert change.number in shown(mara, held) and MappingFile.objects.get().state == "done"
    assert "It was proposed already; open its request." in propose(mara, held, 422), "a second click"
    assert ChangeRequest.objects.filter(origin="import").count() == 1
    changes.approve(change=change, by=actor("ann", "approver"), content_hash=change.content_hash)
    assert {one["Code"] for one in table(exported(mara))} >= {"R-1", "R-2", "R-3"} and GLMapping.objects.count() == 4
    changed = next(one for one in table(exported(mara)) if one["Code"] == "R-2")
    assert (changed["Target"], changed["When project"], changed["When legal_entity"], changed["Turns sign"]) == (
        "67*", "P", "", "yes",
    )  # fmt: skip


def test_replacing_names_exactly_what_it_drops(mara: Client) -> None:
    some()
    rows = [one for one in table(exported(mara)) if one["Code"] == "R-1"]
    held = send(mara, written(rows), "replace")
    assert counts(held) == {"unchanged": 1, "dropped": 2}
    page = shown(mara, held)
    assert "2 rows that the file does not name would be retired" in page and "R-2" in page and "R-3" in page
    answer: Any = mara.get(reverse("dimensions:mapping-file-list", args=[held.uid, "dropped"]))
    dropped = b"".join(answer.streaming_content).decode()
    assert "R-2" in dropped and "R-3" in dropped and "R-1" not in dropped
    auto_approve("import")
    propose(mara, held)
    assert dict(GLMapping.objects.values_list("code", "status")) == {
        "R-1": "active",
        "R-2": "retired",
        "R-3": "retired",
    }


def test_rows_are_refused_one_by_one_and_nothing_is_replaced_then(mara: Client) -> None:
    some()
    good = table(exported(mara))
    bad = [
        {"Kind": "like", "Source": "4**", "Target": "1"},
        {"Code": "R-9", "Kind": "explicit", "Source": "4", "Target": "1"},
        {"Kind": "explicit", "Source": "4", "Target": "1", "Valid from": "yesterday"},
        {"Kind": "explicit", "Source": "4", "Target": "1", "Order": "first"},
        {"Kind": "explicit", "Source": "4", "Target": "1", "Turns sign": "maybe"},
        {"Kind": "explicit", "Source": "4", "Target": "", "Name": "No target"},
        {"Code": "R-1", "Kind": "explicit", "Source": "4", "Target": "1"},
    ]
    rows = [*good, *(dict.fromkeys(good[0], "") | one for one in bad)]
    held = send(mara, written(rows), "replace")
    assert counts(held) == {"unchanged": 3, "refused": 7}
    said = [one["words"] for one in held.outcome["refused"]]
    for expected, words_ in zip(
        ("two * in a row", "no row R-9", "Valid from", "“first” is no whole number", "neither yes nor no",
         "Account there", "has the row R-1 twice"), said, strict=True,
    ):  # fmt: skip
        assert expected in words_, (expected, words_)
    assert [one["line"] for one in held.outcome["refused"]] == list(range(5, 12))
    assert "correct the file first" in propose(mara, held, 422)
    assert counts(send(mara, written(rows))) == {"unchanged": 3, "refused": 7}


def test_rows_without_a_code_are_recognised(mara: Client) -> None:
    some()
    rows = [one | {"Code": "", "Note": "seen"} for one in table(exported(mara))]
    held = send(mara, written(rows), "replace")
    assert counts(held) == {"changed": 3}
    few = written([{"Kind": "explicit", "Source": "400000", "Target": "5200", "Valid from": "2026-01-01"}])
    held = send(mara, few)
    assert counts(held) == {"changed": 1} and held.outcome["changed"][0]["words"] == "Account there 5100 → 5200"


def test_rows_that_moved_on_are_looked_at_again(mara: Client) -> None:
    some()
    rows = [one | {"Target": "1"} for one in table(exported(mara)) if one["Code"] == "R-1"]
    held = send(mara, written(rows))
    auto_approve("system")
    uid = str(GLMapping.objects.get(code="R-1").uid)
    item = ProposedItem(type="gl_mapping", uid=uid, patch={"target": "2"})
    changes.propose(items=[item], by=SETUP, origin="system")
    propose(mara, held)
    held.refresh_from_db()
    assert held.state == "ready" and "changed since you looked" in shown(mara, held)
    assert held.outcome["changed"][0]["words"] == "Account there 2 → 1"
    assert not ChangeRequest.objects.filter(origin="import").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"Kind,Source\nlike,4*\n", "no column Target"),
        (b"Kind,Source,Target,Colour\nlike,4*,1,red\n", "no column “Colour”"),
        (b"\x00\x01\x02", ""),
    ],
)
def test_files_that_are_none_of_ours_are_refused_whole(mara: Client, content: bytes, said: str) -> None:
    answer = mara.post(ROWS + QUERY, {"file": SimpleUploadedFile("x.csv", content), "mode": "merge"})
    assert answer.status_code == 422 and said.lower() in answer.content.decode().lower()
    assert not MappingFile.objects.exists()


def test_limits_are_kept(mara: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    some()
    content = exported(mara)
    monkeypatch.setattr(row_plans, "MOST_ROWS", 2)
    held = send(mara, content)
    assert held.state == "failed" and "more than 2 rows" in shown(mara, held)
    monkeypatch.setattr(row_files, "MOST_BYTES", 10)
    assert mara.post(ROWS + QUERY, {"file": SimpleUploadedFile("x.csv", content), "mode": "merge"}).status_code == 422


def test_a_second_worker_and_a_killed_one_change_nothing(mara: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    some()
    rows = [one | {"Target": "1"} for one in table(exported(mara))]
    held = row_files.receive(
        pair=PAIR, mode="merge", file_name="x.csv", stream=io.BytesIO(written(rows)), by=actor("mara", "steward")
    )
    assert row_files.waiting() == [held.pk]

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(row_files, "_look", killed)
    with pytest.raises(KeyboardInterrupt):
        row_files.work(held.pk)
    assert row_files.waiting() == [held.pk], "what was broken off waits"
    monkeypatch.undo()
    row_files.work(held.pk)
    row_files.work(held.pk)
    held.refresh_from_db()
    row_files.send(held=held, reason="", by=actor("mara"))
    row_files.work(held.pk)
    row_files.work(held.pk)
    assert ChangeRequest.objects.filter(origin="import").count() == 1 and row_files.waiting() == []


def test_who_may_only_read_may_take_out_and_not_bring_back(mara: Client) -> None:
    some()
    jonas = browser("jonas", "auditor")
    content = exported(jonas)
    assert "may not propose rows" in read(jonas, ROWS + QUERY)
    assert jonas.post(ROWS + QUERY, {"file": SimpleUploadedFile("x.csv", content), "mode": "merge"}).status_code in (
        403,
        422,
    )
    assert not MappingFile.objects.exists()
    held = send(mara, written([one | {"Target": "1"} for one in table(content)]))
    assert "may not propose" in shown(jonas, held)
    assert jonas.post(reverse("dimensions:mapping-file-send", args=[held.uid])).status_code == 403
    assert "Only Mara, who brought the file, sends it." in propose(browser("rita", "requester"), held, 422)
    read(browser("nobody"), ROWS, status=403)


def test_tax_codes_travel_too(mara: Client) -> None:
    system("sap")
    make("tax_code_mapping", name="T", system="sap", kind="explicit", source="V1", target="A1", code="T-1")
    query = "?kind=tax_code_mapping&to=sap"
    answer: Any = mara.get(f"{EXPORT}{query}&format=csv")
    rows = table(b"".join(answer.streaming_content))
    assert [(one["Code"], one["Source"], one["Target"]) for one in rows] == [("T-1", "V1", "A1")]
    content = written([rows[0] | {"Target": "A2"}])
    assert mara.post(ROWS + query, {"file": SimpleUploadedFile("x.csv", content), "mode": "merge"}).status_code == 302
    assert counts(MappingFile.objects.get()) == {"changed": 1}


def test_any_edit_of_a_file_does_what_a_plain_comparison_says(mara: Client) -> None:
    for number in range(12):
        row(f"{number:06}", "1", f"R-{number}")
    chance = random.Random(5)
    for _round in range(6):
        rows, expected = [], {"unchanged": 0, "changed": 0, "added": 0, "dropped": 0}
        for one in table(exported(mara)):
            what = chance.choice(["unchanged", "changed", "dropped"])
            expected[what] += 1
            if what != "dropped":
                rows.append(one | ({"Target": "9"} if what == "changed" else {}))
        for number in range(chance.randrange(4)):
            expected["added"] += 1
            rows.append({"Kind": "explicit", "Source": f"9{number}", "Target": "3"})
        if not rows:
            continue
        blank = dict.fromkeys(row_plans.headings(BUILT_IN), "")
        held = send(mara, written([blank | one for one in rows]), "replace")
        assert counts(held) == {name: number for name, number in expected.items() if number}
