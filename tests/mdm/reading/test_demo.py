"""The demo's extracts through its mappings: every row broken on purpose is told with its cause, no other
row is.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from django.apps import apps
from pydantic import ValidationError

from mdm import registry
from mdm.errors import CorrectInput
from mdm.reading.columns import ColumnMap, check, guess
from mdm.reading.tables import Row, read

DEMO = Path(__file__).parents[3] / "suppliers" / "demo"
FILES = ("s4hana", "coupa", "concur")
CAUSES = {  # the demo's own names for what is wrong, and the codes it is told with
    "missing_name": "missing",
    "broken_json": "bad_json",
    "unknown_payment_term": "unknown_value",
    "malformed_email": "invalid_email",
    "cell_too_long": "too_long",
}

pytestmark = pytest.mark.skipif(not apps.ready, reason="needs the record types of the project")


def expected(folder: Path) -> dict:
    return json.loads((folder / "expected.json").read_text())


def cause(mapping: ColumnMap, row: Row, keys: set[str]) -> str | None:
    if row.problem:
        return row.problem.code
    key, document, problems = mapping.map_row(row.values)
    if problems:
        return problems[0].code
    if key in keys:
        return "duplicate_key"
    keys.add(key)
    try:
        mapping.kind.document.model_validate(document)
    except ValidationError as error:
        return error.errors()[0]["type"].replace("string_too_long", "too_long")
    return None


@pytest.mark.parametrize("folder", [DEMO / "extracts", DEMO / "extracts" / "small"], ids=["whole", "small"])
@pytest.mark.parametrize("system", FILES)
def test_broken_rows_and_only_those(folder: Path, system: str) -> None:
    spec = yaml.safe_load((DEMO / "mappings.yaml").read_text())[system]
    kind, known = registry.get("supplier"), expected(folder)
    mapping, keys = ColumnMap(spec, kind), set()
    with read((folder / known["files"][system]["file"]).open("rb")) as reader:
        assert check(spec, kind, reader.columns, partial=reader.format == "ndjson") == []
        found = {row.number: (row.line, code) for row in reader if (code := cause(mapping, row, keys))}
    assert reader.format == known["files"][system]["format"]
    broken = [row for row in known["broken_rows"] if row["system"] == system]
    assert found == {row["row"]: (row["line"], CAUSES.get(row["cause"], row["cause"])) for row in broken}


@pytest.mark.parametrize("name", ["s4hana_utf16_tab", "s4hana_latin1_comma", "s4hana_utf8"])
def test_the_same_rows_in_every_encoding(name: str) -> None:
    folder = DEMO / "extracts" / "small"
    bad = {row["row"] for row in expected(folder)["broken_rows"] if row["system"] == "s4hana"}
    with read((folder / "s4hana_suppliers.csv").open("rb")) as reader:
        whole = {row.values["Supplier"]: row.values for row in reader if row.number not in bad}
    with read((folder / "encodings" / f"{name}.csv").open("rb")) as reader:
        rows = [row.values for row in reader]
    assert rows and all(row == whole[row["Supplier"]] for row in rows)


@pytest.mark.parametrize("path", sorted((DEMO / "extracts" / "broken").iterdir()), ids=lambda path: path.name)
def test_files_that_are_wrong_as_a_whole(path: Path) -> None:
    if path.name == "quote_never_closed.csv":
        with read(path.open("rb")) as reader:
            assert [row.problem.code for row in reader] == ["bad_quotes"]
        return
    with pytest.raises(CorrectInput):
        read(path.open("rb"))


@pytest.mark.parametrize("system", FILES)
def test_the_first_guess_of_a_mapping_is_close(system: str) -> None:
    spec = yaml.safe_load((DEMO / "mappings.yaml").read_text())[system]
    kind = registry.get("supplier")
    with read((DEMO / "extracts" / expected(DEMO / "extracts")["files"][system]["file"]).open("rb")) as reader:
        found = guess(kind, reader.columns, [row.values for row, _ in zip(reader, range(20), strict=False)])
    keys = spec["key"] if isinstance(spec["key"], list) else [spec["key"]]  # a guess sees no second part in a few rows
    assert found["key"] == keys[0] and check(found, kind, reader.columns) == []
    same = [column for column, path in spec["columns"].items() if found["columns"].get(column, "") == path]
    assert len(same) >= len(spec["columns"]) * 0.6
