"""Statements that are under way while something else is done: nothing is lost of either, and errors are heard."""

from __future__ import annotations

import pytest
from django.db import DataError, connection, transaction

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
