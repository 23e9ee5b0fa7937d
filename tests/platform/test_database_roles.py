"""The tests themselves stand on two logins: the application's, which owns nothing, and the owner's."""

import os
import subprocess
import threading

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection, connections
from django.db.utils import ProgrammingError

from mdm.embedded.binaries import OLDEST_POSTGRES
from tests import database, emptying

pytestmark = [pytest.mark.database]


@pytest.mark.django_db
def test_the_application_is_not_the_owner():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolsuper, rolcreatedb, rolcreaterole, "
            "(SELECT count(*) FROM pg_class WHERE relowner = pg_roles.oid) "
            "FROM pg_roles WHERE rolname = current_user"
        )
        assert cursor.fetchone() == (False, False, False, 0)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE intruder (id int)",
        "DROP TABLE auth_group",
        "TRUNCATE suppliers_supplier CASCADE",
        "ALTER TABLE suppliers_supplier DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
        "COPY auth_user TO PROGRAM 'cat'",
    ],
)
def test_the_application_cannot_get_around_the_walls(statement):
    with (
        pytest.raises(ProgrammingError, match="permission|must be"),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


@pytest.mark.django_db
def test_the_owner_is_no_superuser(owner_connection):
    row = owner_connection.execute(
        "SELECT rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    assert row == (False, False)


@pytest.mark.django_db
def test_rolled_back_rows_are_seen_by_nobody(owner_connection):
    User.objects.create_user("seen-by-nobody")
    assert owner_connection.execute("SELECT count(*) FROM auth_user WHERE username = 'seen-by-nobody'").fetchone() == (
        0,
    )


def _seeded() -> set[str]:
    return set(Group.objects.values_list("name", flat=True))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turn", [1, 2])
def test_a_transactional_test_begins_with_what_migrations_made(turn, owner_connection):
    """The second turn sees nothing of the first, and again the rows that the first has deleted."""
    before = owner_connection.execute("SELECT count(*) FROM auth_group").fetchone()[0]
    assert not User.objects.filter(username="left-behind").exists()
    assert len(_seeded()) == before
    User.objects.create_user("left-behind")
    with connections["default"].cursor() as cursor:
        cursor.execute("DELETE FROM auth_group_permissions")
        cursor.execute("DELETE FROM auth_group")
    Group.objects.create(name="another")


@pytest.mark.django_db(transaction=True)
def test_emptying_waits_for_a_worker_that_is_writing():
    """It holds its locks for a moment only: the emptying tries again instead of failing the next test."""
    with database.connect_as_owner() as worker:
        worker.autocommit = False
        worker.execute("INSERT INTO auth_group (name) VALUES ('written meanwhile')")
        timer = threading.Timer(2.5, worker.commit)
        timer.start()
        emptying.empty()
        timer.join()
    assert not Group.objects.filter(name="written meanwhile").exists()


@pytest.mark.django_db
def test_the_server_is_the_one_asked_for():
    """Otherwise the run on the oldest PostgreSQL would prove nothing."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        major = int(cursor.fetchone()[0]) // 10000
    assert major >= OLDEST_POSTGRES
    if programs := os.environ.get("MDM_PG_BIN"):
        said = subprocess.run([f"{programs}/postgres", "--version"], capture_output=True, text=True, check=True)
        assert f"(PostgreSQL) {major}." in said.stdout
