"""Golden data is written by the write path alone: the model refuses, the database refuses, for every table and verb."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from mdm import registry
from mdm.errors import OutsideWritePath
from mdm.models import Approval, AuditEntry, ChangeRequest, Event, Participant, RecordVersion
from mdm.services import changes
from tests.people import actor, person, propose, supplier

pytestmark = [pytest.mark.django_db, pytest.mark.database]

GOLDEN = sorted(
    {model for kind in registry.all_types() for model in (kind.model, *(child.model for child in kind.children))},
    key=lambda model: model._meta.db_table,
)
TABLES = [model._meta.db_table for model in GOLDEN] + [model.history.model._meta.db_table for model in GOLDEN]


@pytest.mark.parametrize("model", GOLDEN, ids=lambda model: model.__name__)
def test_the_model_refuses_every_way_to_save(model):
    manager = model._default_manager
    for attempt in (
        lambda: model().save(),
        lambda: model(pk=1).delete(),
        lambda: manager.update(uid=None),
        lambda: manager.all().delete(),
        lambda: manager.bulk_create([model()]),
        lambda: manager.bulk_update([model(pk=1)], ["uid"]),
        lambda: manager.create(),
        lambda: manager.get_or_create(pk=1),
    ):
        with pytest.raises(OutsideWritePath):
            attempt()


def run(sql: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


@pytest.mark.parametrize("table", [*TABLES, "mdm_recordversion"])
@pytest.mark.parametrize("sql", ["UPDATE {} SET id = id", "DELETE FROM {}", "INSERT INTO {} DEFAULT VALUES"])
def test_the_database_refuses_without_an_approved_change(table, sql):
    for setting in (None, "", "999999999"):
        refused = pytest.raises(DatabaseError, match="permission denied|approved change request|append-only")
        with refused, transaction.atomic():
            if setting is not None:
                run(f"SELECT set_config('mdm.change_id', '{setting}', true)")
            run(sql.format(table))


def test_a_request_that_is_not_approved_opens_no_door():
    change = propose(supplier(), actor("rita", "requester"), legal_name="Other")
    with pytest.raises(DatabaseError, match="approved change request"), transaction.atomic():
        run(f"SELECT set_config('mdm.change_id', '{change.pk}', true)")
        run("UPDATE suppliers_supplier SET legal_name = 'x'")


@pytest.mark.parametrize("model", [RecordVersion, Event, AuditEntry])
def test_logs_are_append_only(model):
    supplier()
    assert model.objects.exists()
    column = {"RecordVersion": "hash", "Event": "verb", "AuditEntry": "action"}[model.__name__]
    for sql in (f"UPDATE {model._meta.db_table} SET {column} = 'x'", f"DELETE FROM {model._meta.db_table}"):
        with pytest.raises(DatabaseError, match="append-only|permission denied|approved change"):
            run(sql)


def test_the_application_owns_no_table_and_cannot_make_one():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tableowner = current_user")
        assert cursor.fetchone() == (0,)
    for sql in (
        "CREATE TABLE mine (id int)",
        "ALTER TABLE suppliers_supplier DISABLE TRIGGER ALL",
        "TRUNCATE mdm_event",
    ):
        with pytest.raises(DatabaseError):
            run(sql)


def test_the_database_seats_a_person_on_one_side_only():
    change = propose(supplier(), actor("rita", "requester"), legal_name="Other")
    with pytest.raises(IntegrityError), transaction.atomic():
        Participant.objects.create(request=change, person=person("rita"), side="checker")


def test_the_database_refuses_an_approval_from_the_makers_seat():
    change = propose(supplier(), actor("rita", "requester"), legal_name="Other")
    seat = Participant.objects.get(request=change)
    step = change.steps.get()
    for side in ("checker", "maker"):
        with pytest.raises(IntegrityError), transaction.atomic():
            Approval.objects.create(
                request=change, step=step, participant=seat, side=side, verdict="approve", content_hash="x"
            )
            run("SET CONSTRAINTS ALL IMMEDIATE")


def test_a_failing_write_leaves_nothing_behind(monkeypatch):
    document = supplier()
    change = propose(document, actor("rita", "requester"), legal_name="Other")
    from mdm.services import indexing

    monkeypatch.setattr(indexing, "reindex", lambda written: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        changes.approve(change=change, by=actor("stan", "steward"), content_hash=change.content_hash)
    assert ChangeRequest.objects.get(pk=change.pk).state == "in_review"
    assert RecordVersion.objects.filter(uid=document["uid"]).count() == 1
    assert Approval.objects.count() == 0
