"""The queue with 50,000 open pairs: a page walks its index, wherever it is and whatever filters the steward chose."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection

from mdm.models import DuplicatePair
from mdm.selectors import duplicates, keyset
from tests.people import actor, supplier, system

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]
MANY = 50_000


@pytest.fixture
def full_queue(owner_connection: Any) -> None:
    supplier(legal_name="Nordlicht Papier GmbH")
    system("erp")
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO mdm_duplicatepair (uid, type, kind, "left", "right", score, probability, band, explanation, flags,
                risk, rank, ranking, evidence_hash, state, follows, dispute, found_at)
            SELECT gen_random_uuid(), 'supplier', 'duplicate', least(a, b), greatest(a, b), 2, 0.9, 'review', '[]', '[]',
                1, round((random() * 3)::numeric, 4), '{}', '',
                CASE WHEN n %% 10 = 0 THEN 'different' ELSE 'open' END, '', '', now()
            FROM (SELECT n, gen_random_uuid() a, gen_random_uuid() b FROM generate_series(1, %s) n) made""",
            [MANY + MANY // 9],
        )
    with owner_connection.cursor() as cursor:
        cursor.execute("ANALYZE mdm_duplicatepair")


def plan(rows: Any) -> tuple[dict[str, Any], float]:
    with connection.cursor() as cursor:
        sql, params = rows.query.sql_with_params()
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params)
        told = cursor.fetchone()[0]
    told = json.loads(told) if isinstance(told, str) else told
    return told[0]["Plan"], float(told[0]["Execution Time"])


def nodes(one: dict[str, Any]) -> list[dict[str, Any]]:
    return [one, *(found for child in one.get("Plans", ()) for found in nodes(child))]


def read_rows(found: dict[str, Any]) -> float:
    """Rows of the pairs' table that were looked at."""
    mine = [n for n in nodes(found) if n.get("Relation Name") == "mdm_duplicatepair"]
    return sum((n["Actual Rows"] + n.get("Rows Removed by Filter", 0)) * n["Actual Loops"] for n in mine)


def test_a_page_reads_a_page(full_queue: None) -> None:
    mara = actor("mara", "steward")
    rows = duplicates.matching(duplicates.visible(mara), {"state": "open"}, by=mara)
    first = keyset.cut(rows, order=duplicates.ORDER, size=40, falling=True)
    assert len(first.rows) == 40 and rows.count() >= MANY
    found, _ = plan(rows.order_by("-rank", "-pk")[:41])
    assert [n["Index Name"] for n in nodes(found) if "Index Name" in n] == ["pair_queue"] and read_rows(found) <= 60
    middle = DuplicatePair.objects.filter(state="open").order_by("-rank", "-pk")[MANY // 2]
    after = rows.filter(rank__lte=middle.rank).order_by("-rank", "-pk")[:41]
    found, _ = plan(after)
    assert read_rows(found) <= 60


FILTERS: tuple[dict[str, str], ...] = (
    {"country": "DE"}, {"system": "erp"}, {"entity": "NH10"}, {"dispute": "any", "state": ""}, {"assigned": "me"},
    {"q": "papier"},
)  # fmt: skip


def test_a_filter_that_finds_nothing_reads_the_queue_once(full_queue: None) -> None:
    mara = actor("mara", "steward")
    for asked in FILTERS:
        rows = duplicates.matching(duplicates.visible(mara), {"state": "open"} | asked, by=mara)
        found, milliseconds = plan(rows.order_by("-rank", "-pk")[:41])
        assert read_rows(found) <= MANY * 1.3, asked
        assert milliseconds < 1500, "far beyond what one pass over the queue takes"


def test_the_next_pair_and_the_counts_are_cheap(full_queue: None) -> None:
    mara = actor("mara", "steward")
    rows = duplicates.matching(duplicates.visible(mara), {"state": "open"}, by=mara)
    middle = rows.order_by("-rank", "-pk")[MANY // 2]
    following = duplicates.after(rows, middle)
    assert following is not None and (following.rank, following.pk) < (middle.rank, middle.pk)
    assert duplicates.counts(duplicates.visible(mara), by=mara)["open"] == rows.count()
