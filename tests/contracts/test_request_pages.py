"""What every record type owes its reviewers: a proposal of it is read and decided on in the browser and over the API."""

from __future__ import annotations

import pytest

from mdm import registry
from mdm.models import ChangeRequest
from mdm.services import changes
from mdm.services.changes import ProposedItem
from tests.api.callers import EXAMPLES, caller, every_type, make_record, make_referred
from tests.people import actor
from tests.web.visitors import browser, page_of, read

pytestmark = pytest.mark.django_db


def proposed(key: str, action: str, uid: str | None = None, **patch: object) -> ChangeRequest:
    nora = actor("nora", "requester", "governance")
    return changes.propose(
        items=[ProposedItem(type=key, action=action, uid=uid, patch=patch)], by=nora, reason="A reason."
    )


def is_read(change: ChangeRequest) -> None:
    mara = browser("mara", "steward")
    assert change.state == "in_review"
    for part in ("", "?full=1"):
        assert change.number in read(mara, page_of(change) + part)
    assert change.items.get().label in read(mara, f"/inbox/?tab=team&request={change.pk + 10_000}")
    shown = caller("steward").read(f"change-requests/{change.uid}/").json()
    assert shown["items"][0]["diff"] and not shown["items"][0]["conflicts"]


@pytest.mark.parametrize("key", every_type())
def test_a_new_record_is_reviewed(key: str) -> None:
    make_referred(key)
    is_read(proposed(key, "create", **EXAMPLES[key]))


@pytest.mark.parametrize("key", every_type())
def test_a_change_is_reviewed(key: str) -> None:
    version = make_record(key)
    field = "name" if "name" in registry.get(key).document.model_fields else registry.get(key).name_field
    is_read(proposed(key, "update", str(version.uid), **{field: "Another name"}))


def test_what_a_rule_says_of_a_period_stands_in_the_request() -> None:
    """Rules are asked of each period; fields that were left empty are no reason to fail."""
    make_referred("gl_mapping")
    row = {**EXAMPLES["gl_mapping"], "kind": "multi", "source": None}
    conditions = [{"dimension": "legal_entity", "codes": "EX01"}]
    is_read(proposed("gl_mapping", "create", **row, conditions=conditions))
