"""Files nobody should send: refused in words before anything is kept, or taken in row by row with the bad row aside."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.faults.test_bad_calls import everything
from tests.fixtures_story import Story

pytestmark = [pytest.mark.xdist_group("story-browser")]
MIB = 1 << 20


def test_the_same_file_twice_changes_nothing(house: Story) -> None:
    file, mapping = house.files["s4hana"], house.mappings["s4hana"]
    first = house.import_file(file.name, file.read_bytes(), system="s4hana", mapping=mapping)
    assert first["counts"]["new"] > 30
    before = everything()
    second = house.import_file(file.name, file.read_bytes(), system="s4hana")
    taken = first["counts"]["in"] - first["counts"]["quarantined"]
    assert second["counts"] == {**dict.fromkeys(second["counts"], 0), "in": first["counts"]["in"], "unchanged": taken,
                                "quarantined": first["counts"]["quarantined"]}  # fmt: skip
    after = everything()
    moved = {name for name in after if after[name] != before[name]}
    assert moved <= {"ImportJob", "QuarantinedRow", "ChangeRequest", "Participant", "AuditEntry", "ColumnMapping"}, moved


def test_the_same_upload_sent_again_is_one_job(house: Story) -> None:
    """A client that repeats its call under one Idempotency-Key gets the first answer."""
    steward = house.by("steward")
    content = b"Key;Name\nK1;Einmal GmbH\n"
    sent: dict[str, Any] = {
        "data": {"system": "hub", "type": "supplier", "mapping": '{"key": "Key", "columns": {"Name": "legal_name"}}'},
        "headers": {"Idempotency-Key": "upload-1"},
    }
    first = steward.call("POST", "imports/", expect=202, files={"file": ("a.csv", content)}, **sent)
    house.finished(first["uid"])
    again = steward.call("POST", "imports/", expect=202, files={"file": ("a.csv", content)}, **sent)
    assert again["uid"] == first["uid"]
    other = {"file": ("a.csv", content + b"K2;Zweimal GmbH\n")}
    steward.refused("POST", "imports/", status=422, code="idempotency_key_reused", files=other, **sent)
    assert len(steward.get("imports/")["results"]) == 1


def test_files_that_are_no_tables_are_refused(house: Story) -> None:
    steward = house.by("steward")
    before = everything()
    bomb = zip_bomb()
    assert len(bomb) < 2 * MIB
    memory = rss(house.hub.web.pid)
    for name, content in {
        "empty.csv": b"",
        "empty.xlsx": b"",
        "picture.csv": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 64,
        "program.csv": b"\x7fELF\x02\x01\x01" + bytes(4096),
        "archive.csv": bomb,
        "bomb.xlsx": bomb,
        "text.xlsx": b"Key;Name\n1;A\n",
        "headings.csv": b"\n\n\n",
    }.items():
        sent = {"data": {"system": "hub", "type": "supplier"}, "files": {"file": (name, content)}}
        answer = steward.http.post("imports/", **sent)
        assert answer.status_code in (400, 413), (name, answer.status_code, answer.text[:500])
        problem = answer.json()
        assert answer.headers["Content-Type"].startswith("application/problem+json")
        assert problem["code"] in ("invalid", "too_large") and len(problem["detail"]) > 20, (name, problem)
        assert everything() == before, name
    assert rss(house.hub.web.pid) - memory < 150 * MIB, "unpacking stopped long before the end"


def zip_bomb() -> bytes:
    """A workbook of a megabyte whose sheet unpacks to a gigabyte."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("[Content_Types].xml", '<?xml version="1.0"?><Types xmlns='
                         '"http://schemas.openxmlformats.org/package/2006/content-types"/>')  # fmt: skip
        archive.writestr("xl/workbook.xml", '<?xml version="1.0"?><workbook><sheets><sheet name="S" sheetId="1"/></sheets></workbook>')
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            sheet.write(b'<?xml version="1.0"?><worksheet><sheetData><row r="1"><c t="inlineStr"><is><t>')
            for _ in range(1024):
                sheet.write(b"A" * MIB)
    return stream.getvalue()


def rss(pid: int | None) -> int:
    """Resident memory of a process and its children, in bytes; 0 where the system does not tell."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*") if Path("/proc/self/stat").exists() else ():
        try:
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            if str(pid) in (folder.name, parent):
                total += int((folder / "statm").read_text().split()[1]) * 4096
        except OSError:
            continue
    return total


@pytest.mark.slow
def test_a_cell_of_ten_megabytes_is_one_row_in_quarantine(house: Story) -> None:
    """In any format: that row waits for correction, its neighbours are taken in, nobody's memory explodes."""
    huge = "x" * (10 * MIB)
    mapping = {"key": "Key", "columns": {"Name": "legal_name", "Country": "country"}}
    rows = [("1", "Davor GmbH"), ("2", huge), ("3", "Danach GmbH")]
    csv = "Key;Name;Country\n" + "".join(f"{key};{name};DE\n" for key, name in rows)
    lines = "".join(f'{{"Key": "N{key}", "Name": "{name} N", "Country": "DE"}}\n' for key, name in rows)
    memory = rss(house.hub.worker.pid)
    for file, content in (("huge.csv", csv), ("huge.ndjson", lines)):
        job = house.import_file(file, content.encode(), system="hub", mapping=mapping)
        assert job["state"] == "done" and job["counts"]["quarantined"] == 1 and job["counts"]["in"] == 3, job
        (row,) = house.by("steward").all(f"imports/{job['uid']}/problems/")
        assert row["row"] == 2 and row["errors"][0]["message"], row
        assert len(str(row["raw"])) < 100_000, "only the beginning is shown"
        wrong = {"values": {"Name": huge[: 1 * MIB]}}
        house.by("steward").refused(
            "POST", f"imports/{job['uid']}/problems/{row['uid']}/resubmit/", status=400, code="invalid", json=wrong
        )
    assert rss(house.hub.worker.pid) - memory < 400 * MIB
