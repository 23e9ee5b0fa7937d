"""Files that name the hub's own codes: a new record gets the code it is called by, a record that has it is meant."""

from __future__ import annotations

import io
from typing import Any

import pytest

from dimensions.models import CostCenter, GLAccount
from mdm import registry
from mdm.models import Crosswalk, ImportJob, QuarantinedRow
from mdm.reading.guessing import guess
from mdm.services import importing, loading
from suppliers.models import Supplier
from tests.people import actor, auto_approve, make, supplier, system

pytestmark = pytest.mark.django_db
CENTERS = {"key": "id", "columns": {"id": "code", "name": "name", "co": "legal_entity"}, "const": {"category": "sales"}}


@pytest.fixture(autouse=True)
def ground(db: None) -> None:
    auto_approve("import")
    make("legal_entity", code="NH10", name="Nordhaven", country="DE", currency="EUR")


def load(
    text: str, type: str = "cost_center", mapping: dict[str, Any] | None = None, of: str = "erp"
) -> dict[str, int]:
    job = importing.receive(
        system=system(of), type=type, file_name="f.csv", stream=io.BytesIO(text.encode()), by=actor("mara", "steward"),
        mapping=mapping or CENTERS,
    )  # fmt: skip
    loading.run(job.pk)
    job.refresh_from_db()
    assert job.state == "done", job.error
    return {name: number for name in ImportJob.OUTCOMES if (number := job.counts[name])}


def test_new_records_are_called_as_the_file_calls_them() -> None:
    assert load("id;name;co\n4410;Fulfilment;NH10\n4420;Returns;NH10") == {"new": 2}
    assert list(CostCenter.objects.order_by("code").values_list("code", "name")) == [
        ("4410", "Fulfilment"), ("4420", "Returns"),
    ]  # fmt: skip
    assert load("id;name;co\n4410;Fulfilment;NH10\n4420;Returns;NH10") == {"unchanged": 2}


def test_a_record_that_has_the_code_is_meant() -> None:
    here = make("cost_center", code="4410", name="Old", legal_entity="NH10", category="sales")
    assert load("id;name;co\n4410;Fulfilment;NH10") == {"linked": 1}
    assert load("id;name;co\n4410;Fulfilment;NH10", of="coupa") == {"linked": 1}
    assert CostCenter.objects.count() == 1
    assert set(Crosswalk.objects.values_list("system__code", "key", "uid")) == {
        ("erp", "4410", CostCenter.objects.get().uid), ("coupa", "4410", CostCenter.objects.get().uid),
    }  # fmt: skip
    assert str(CostCenter.objects.get().uid) == here["uid"]


def test_a_code_that_cannot_be_one_waits_in_quarantine() -> None:
    assert load("id;name;co\nno code;Fulfilment;NH10") == {"quarantined": 1}
    assert QuarantinedRow.objects.get().cause == "invalid_code" and not CostCenter.objects.exists()


def test_matched_types_may_name_codes_too() -> None:
    known = supplier(legal_name="Bergbau Nord GmbH", country="DE", code="S-1")
    mapping = {"key": "id", "columns": {"code": "code", "name": "legal_name", "co": "country"}}
    assert load("id;code;name;co\n1;S-1;Wholly Other AG;FR\n2;S-2;New One KG;DE", "supplier", mapping) == {
        "linked": 1,
        "new": 1,
    }
    assert str(Crosswalk.objects.get(key="1").uid) == known["uid"]
    assert set(Supplier.objects.values_list("code", flat=True)) == {"S-1", "S-2"}


def test_accounts_stay_apart_by_their_charts() -> None:
    for chart in ("A", "B"):
        make("chart_of_accounts", code=chart, name=chart)
        mapping = {
            "key": "no", "columns": {"no": "number", "name": "name"}, "const": {"chart": chart, "kind": "expense"},
        }  # fmt: skip
        assert load("no;name\n1200;Cash", "gl_account", mapping, of=f"erp-{chart.lower()}") == {"new": 1}
    assert set(GLAccount.objects.values_list("chart", "number")) == {("A", "1200"), ("B", "1200")}


def test_what_is_guessed() -> None:
    centers = guess(registry.get("cost_center"), ["Cost Center", "Name", "Legal Entity"])
    assert centers["columns"]["Cost Center"] == "code" and centers["key"] == "Cost Center"
    accounts = guess(registry.get("gl_account"), ["Account", "Name", "Chart"])
    assert "code" not in accounts["columns"].values()
    assert "code" not in guess(registry.get("supplier"), ["Supplier", "Name 1", "Country"])["columns"].values()
