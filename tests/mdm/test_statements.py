"""Statements that are under way while something else is done: nothing is lost of either, and errors are heard."""

from __future__ import annotations

import psycopg
import pytest
from django.db import DataError, OperationalError, connection, transaction

from mdm import statements

pytestmark = pytest.mark.django_db(transaction=True)
PUT = "INSERT INTO dimensions_askedbatch (uses) VALUES (%s::jsonb)"


def count() -> int:
    return int(statements.rows("SELECT count(*) FROM dimensions_askedbatch")[0][0])


def test_what_is_done_meanwhile_is_done_once_and_the_statement_is_committed() -> None:
    done: list[str] = []
    statements.run(PUT, ["[]"], meanwhile=lambda: done.append("once"))
    connection.close()
    assert (done, count()) == (["once"], 1)


def test_an_error_of_the_statement_is_heard_and_the_connection_goes_on() -> None:
    done: list[str] = []
    with pytest.raises(DataError):
        statements.run(PUT, ["no json"], meanwhile=lambda: done.append("once"))
    assert (done, count()) == (["once"], 0)


def test_a_connection_that_is_lost_meanwhile_is_an_error_of_the_database() -> None:
    connection.ensure_connection()
    pid, given = connection.connection.info.backend_pid, connection.get_connection_params()
    login = {name: given[name] for name in ("dbname", "user", "password", "host", "port")}

    def lose() -> None:
        with psycopg.connect(**login, autocommit=True) as other:
            assert other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid]).fetchone() == (True,)

    with pytest.raises(OperationalError):
        statements.run("SELECT pg_sleep(%s)", [5], meanwhile=lose)
    connection.close()
    assert count() == 0, "the next one is another connection"


def test_an_error_of_one_of_several_is_heard_and_the_connection_goes_on() -> None:
    asked = [("SELECT 1", ()), ("SELECT 1 / %s", (0,)), ("SELECT 3", ())]
    found: list[statements.Rows] = []
    with pytest.raises(DataError):
        found.extend(statements.several(asked, meanwhile=lambda: None))
    assert (found, count()) == ([[(1,)]], 0)


def test_an_error_of_what_is_done_meanwhile_is_heard_and_the_connection_goes_on() -> None:
    def broken() -> None:
        raise LookupError("broken")

    with pytest.raises(LookupError), transaction.atomic():
        statements.run(PUT, ["[]"], meanwhile=broken)
    assert count() == 0, "within a transaction the statement is undone with it"
