"""`manage.py match_file`: any file, without database and hub; what it writes, and what it says to a wrong file."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import database

ROWS = """record_id,source,name,street,postcode,city,country,phone,vat_id,colour
a,erp,Müller Maschinenbau GmbH,Hauptstr. 12,80331,München,DE,+49 89 1234567,DE136695976,red
b,buy,MUELLER MASCHINENBAU,Hauptstraße 12,D-80331,Munich,DE,089/1234567,,blue
c,buy,Orion Verpackung AG,Lindenweg 3,10115,Berlin,DE,,,
d,erp,Orion Verpackungen,Lindenweg 3,10115,Berlin,DE,030 555000,,
e,erp,Zulu Trading Ltd,1 High St,LS1 1AA,Leeds,GB,,,
"""
# No database can be reached by what runs here: the command must not miss it.
NOWHERE = {
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "MDM_ENV": "test",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in.csv").write_text(ROWS, encoding="utf-8")
    return tmp_path


def run(folder: Path, *arguments: str, fails: bool = False) -> tuple[str, str]:
    command = [sys.executable, "manage.py", "match_file", *arguments]
    environment = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "mdm.settings", **NOWHERE}
    done = subprocess.run(
        command, cwd=database.ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode != 0) == fails, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout, done.stderr


def rows(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_pairs_clusters_and_counts_of_a_file_with_known_headers(folder: Path) -> None:
    pairs, clusters = folder / "pairs.csv", folder / "clusters.csv"
    said, told = run(
        folder, str(folder / "in.csv"), "--type", "supplier", "--pairs", str(pairs), "--clusters", str(clusters)
    )
    counts = json.loads(said)
    assert (counts["records"], counts["clusters"], counts["kind"]) == (5, 2, "company")
    assert {"seconds", "peak_mib"} <= counts.keys() and "columns not used: colour" in told
    found = {(row["left"], row["right"]): row for row in rows(pairs)}
    assert set(found) == {("a", "b"), ("c", "d")}
    assert found["a", "b"]["band"] == "link" and 0.9 < float(found["a", "b"]["probability"]) <= 1
    assert [(row["record_id"], row["cluster"]) for row in rows(clusters)] == [
        ("a", "a"), ("b", "a"), ("c", "c"), ("d", "c"), ("e", "e"),
    ]  # fmt: skip
    assert sorted(path.name for path in folder.iterdir()) == ["clusters.csv", "in.csv", "pairs.csv"]


def test_mapped_columns_give_what_known_headers_give(folder: Path) -> None:
    other = folder / "other.csv"
    other.write_text(ROWS.replace("name,street,postcode", "Vendor,Line,Code", 1), encoding="utf-8")
    mapping = ["--map", "Vendor=legal_name", "--map", "Line=addresses[].lines", "--map", "Code=postcode"]
    for name, more in (("in.csv", []), ("other.csv", mapping)):
        run(folder, str(folder / name), "--type", "supplier", "--pairs", str(folder / f"p-{name}"), *more)
    assert rows(folder / "p-in.csv") == rows(folder / "p-other.csv")


def test_decisions_are_learnt_from_and_the_model_is_kept_and_used_again(folder: Path) -> None:
    decisions, model = folder / "decisions.csv", folder / "model.json"
    decisions.write_text("left,right,same\nc,d,false\na,b,true\n", encoding="utf-8")
    file = [str(folder / "in.csv"), "--type", "supplier", "--all-candidates"]
    run(folder, *file, "--pairs", str(folder / "before.csv"))
    learnt = ["--pairs", str(folder / "after.csv"), "--decisions", str(decisions), "--save-model", str(model)]
    run(folder, *file, *learnt)
    run(folder, *file, "--pairs", str(folder / "again.csv"), "--model", str(model))
    score = {
        name: {(row["left"], row["right"]): float(row["score"]) for row in rows(folder / f"{name}.csv")}["c", "d"]
        for name in ("before", "after", "again")
    }
    assert score["after"] < score["before"] and score["again"] == score["after"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.csv", "--type", "supplier"], "There is no file"),
        (["in.csv", "--type", "payment_term"], "Known: supplier"),
        (["in.csv", "--type", "supplier", "--map", "Nope=legal_name"], "has no column 'Nope'"),
        (["in.csv", "--type", "supplier", "--map", "colour=colour"], "matching does not read 'colour'"),
        (["in.csv", "--type", "supplier", "--map", "colour"], "write COLUMN=path"),
        (["in.csv", "--type", "supplier", "--pairs", "nowhere/p.csv"], "there is no folder"),
        (["in.csv", "--type", "supplier", "--decisions", "none.csv"], "there is no file"),
        (["in.csv", "--type", "supplier", "--model", "in.csv"], "holds no matching model"),
        (["in.csv", "--type", "supplier", "--against-hub"], "needs the hub's database"),
        (["twice.csv", "--type", "supplier"], "record_id must name one row only: a"),
        (["nameless.csv", "--type", "supplier"], "no column feeds the name"),
        (["empty.csv", "--type", "supplier"], "0 bytes"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_wrong_is_said_before_anything_is_written(folder: Path, arguments: list[str], words: str) -> None:
    (folder / "twice.csv").write_text("record_id,name\na,Acme\na,Acme Ltd\n")
    (folder / "nameless.csv").write_text("x,y\n1,2\n")
    (folder / "empty.csv").write_text("")
    before = sorted(path.name for path in folder.iterdir())
    full = [str(folder / part) if part.endswith((".csv", ".json")) else part for part in arguments]
    said, told = run(folder, *full, fails=True)
    assert words in told and said == ""
    assert sorted(path.name for path in folder.iterdir()) == before
