"""Nodes of a hierarchy from a file: rows in any order, judged together; what does not fit waits with the rule's words."""

from __future__ import annotations

import io
from datetime import date
from typing import Any

import pytest

from dimensions.models import HierarchyNode
from dimensions.selectors.trees import Stored
from mdm.errors import CorrectInput
from mdm.models import ImportJob, QuarantinedRow
from mdm.services import importing, loading, quarantine, rehearsal
from tests.people import actor, auto_approve, make, system

pytestmark = pytest.mark.django_db
HEAD = "key;tree;node;kind;name;under;from;to"
MAPPING = {
    "key": "key",
    "columns": {
        "tree": "hierarchy", "node": "node", "kind": "kind", "name": "name", "under": "parent",
        "from": "valid_from", "to": "valid_to",
    },
}  # fmt: skip
ROWS = (
    "5;ORG;CC1;member;;DACH;;",
    "3;ORG;DACH;group;Dach;EMEA;;",
    "2;ORG;EMEA;group;Emea;ALL;;",
    "1;ORG;ALL;group;All;;;",
)


@pytest.fixture(autouse=True)
def ground(db: None) -> None:
    auto_approve("import")
    make("legal_entity", code="NH10", name="Nordhaven", country="DE", currency="EUR")
    for code in ("CC1", "CC2"):
        make("cost_center", code=code, name=code, legal_entity="NH10", category="sales")
    make("hierarchy", code="ORG", name="Organisation", members="cost_center")


def received(*rows: str) -> ImportJob:
    text = "\n".join((HEAD, *rows))
    return importing.receive(
        system=system("erp"), type="hierarchy_node", file_name="nodes.csv", stream=io.BytesIO(text.encode()),
        by=actor("mara", "steward"), mapping=MAPPING,
    )  # fmt: skip


def load(*rows: str) -> dict[str, int]:
    job = received(*rows)
    loading.run(job.pk)
    job.refresh_from_db()
    assert job.state == "done", job.error
    assert job.counts["in"] == len(rows) == sum(job.counts[name] for name in ImportJob.OUTCOMES)
    return {name: number for name in ImportJob.OUTCOMES if (number := job.counts[name])}


def way(node: str, on: date = date(2026, 6, 1)) -> list[str]:
    return [one.node for one in Stored("ORG", on).way(node)]


@pytest.mark.parametrize("chunk", [1, 2, 1000])
def test_rows_come_in_any_order_and_in_any_chunks(settings: Any, chunk: int) -> None:
    settings.IMPORT_CHUNK = chunk
    assert load(*ROWS) == {"new": 4}
    assert way("CC1") == ["ALL", "EMEA", "DACH", "CC1"]
    assert load(*ROWS) == {"unchanged": 4}
    assert HierarchyNode.objects.get(node="CC1").code == "ORG/CC1"


def test_a_row_that_does_not_fit_waits_and_what_needs_it_too() -> None:
    rows = (*ROWS, "6;ORG;CC9;member;;DACH;;", "7;ORG;X;group;X;Y;;", "8;ORG;Y;group;Y;X;;", "9;ORG;Z;group;Z;X;;")
    assert load(*rows) == {"new": 4, "quarantined": 4}
    told = {row.key: (row.cause, row.problems[0]["message"]) for row in QuarantinedRow.objects.all()}
    assert told["6"] == ("unknown_member", "There is no cost center CC9.")
    assert told["7"] == ("cycle", "X would stand under itself: X under Y under X.")
    assert told["8"][0] == "cycle" and told["9"] == ("unknown_parent", "There is no node X in this hierarchy.")


def test_a_corrected_row_is_judged_beside_what_is_there() -> None:
    load(*ROWS, "6;ORG;CC2;member;;NONE;;")
    row = QuarantinedRow.objects.get()
    with pytest.raises(CorrectInput) as error:
        quarantine.resubmit(row=row, values={"under": "CC1"}, by=actor("mara", "steward"))
    assert error.value.problems[0].code == "not_a_group"
    quarantine.resubmit(row=row, values={"under": "DACH"}, by=actor("mara", "steward"))
    loading.run(row.job_id)
    assert way("CC2") == ["ALL", "EMEA", "DACH", "CC2"]


def test_a_file_moves_nodes_from_a_day_on() -> None:
    load(*ROWS, "4;ORG;APAC;group;Apac;ALL;;")
    assert load("3;ORG;DACH;group;Dach;APAC;2030-01-01;") == {"updated": 1}
    assert way("CC1", date(2029, 12, 31)) == ["ALL", "EMEA", "DACH", "CC1"]
    assert way("CC1", date(2030, 1, 1)) == ["ALL", "APAC", "DACH", "CC1"]
    assert load("4;ORG;APAC;group;Apac;DACH;2030-01-01;") == {"quarantined": 1}
    assert QuarantinedRow.objects.get().cause == "cycle"


def test_a_rehearsal_says_what_a_run_does() -> None:
    rows = (*ROWS, "6;ORG;CC9;member;;DACH;;")
    found = rehearsal.rehearse(job=received(*rows), mapping=MAPPING, by=actor("mara", "steward"))
    assert dict(found.counts) == {"new": 4, "quarantined": 1} == load(*rows)
