"""The matching bench: the judge's arithmetic on cases worked out by hand, the data's bytes, and our side on a small file."""

from __future__ import annotations

import hashlib
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench import figures
from tests.bench.matching import data, judge, ours, results, single, stewards
from tests.bench.matching.judge import Right

ENTITY = np.array([0, 0, 0, 1, 1, 2])
CLUSTER = np.array([0, 0, 2, 3, 3, 3])  # one entity torn apart, one taken together with a stranger
SAID = np.array([0, 0, 3]), np.array([1, 2, 5])


def test_pairs_are_counted_against_all_true_ones() -> None:
    assert judge.true_pairs(ENTITY) == 4
    assert judge.of_pairs(ENTITY, *SAID) == Right(2 / 3, 2 / 4)
    assert judge.of_pairs(ENTITY, *SAID).f1 == pytest.approx(4 / 7)


def test_nothing_said_is_precise_and_recalls_nothing() -> None:
    none = np.zeros(0, dtype=np.int64)
    assert judge.of_pairs(ENTITY, none, none) == Right(1.0, 0.0)
    assert judge.of_pairs(ENTITY, none, none).f1 == 0.0
    assert judge.best_threshold(none.astype(bool), none.astype(float), 4) == (0.0, Right(1.0, 0.0))
    assert judge.recall_at(0.99, none.astype(bool), none.astype(float), 4) == 0.0


def test_clusters_are_judged_by_their_pairs_and_by_their_records() -> None:
    assert judge.of_clusters(ENTITY, CLUSTER) == Right(2 / 4, 2 / 4)
    found = judge.b_cubed(ENTITY, CLUSTER)
    assert found.precision == pytest.approx((1 + 1 + 1 + 2 / 3 + 2 / 3 + 1 / 3) / 6)
    assert found.recall == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1 + 1 + 1) / 6)
    assert judge.labels([[0, 1], [3, 4, 5]], 6).tolist() == CLUSTER.tolist()


def test_equal_scores_cannot_be_told_apart_by_a_threshold() -> None:
    same = np.array([True, False, True, True, False])
    value = np.array([3.0, 3.0, 3.0, 1.0, 0.0])
    assert judge.best_threshold(same, value, 4) == (1.0, Right(3 / 4, 3 / 4))
    assert judge.recall_at(0.99, same, value, 4) == 0.0  # the best ones hold a wrong pair nobody can leave out
    assert judge.recall_at(0.75, same, value, 4) == 3 / 4
    assert judge.recall_at(0.6, same, value, 4) == 3 / 4


def test_siblings_are_wrong_pairs_within_one_group() -> None:
    group = np.array([7, 7, 7, 7, 7, 9])
    left, right = np.array([0, 0, 3, 2]), np.array([1, 3, 5, 4])
    assert judge.siblings(ENTITY, group, left, right) == 2


def test_slices_by_what_was_done_and_by_kind() -> None:
    done = (frozenset({"typo"}), frozenset[str](), frozenset({"swap"}), frozenset[str](), frozenset[str](), frozenset())
    assert judge.by_operation(ENTITY, done, *SAID) == {"none": (0.0, 1), "swap": (1 / 2, 2), "typo": (1.0, 2)}
    kind = np.array(["alone", "alone", "alone", "series", "series", "series"])
    assert judge.by_kind(ENTITY, kind, *SAID) == {"alone": Right(1.0, 2 / 3), "series": Right(0.0, 0.0)}


@given(st.lists(st.integers(0, 5), max_size=25))
def test_every_true_pair_is_listed_once(entities: list[int]) -> None:
    entity = np.array(entities, dtype=np.int64)
    wanted = {(i, j) for i, j in combinations(range(len(entities)), 2) if entities[i] == entities[j]}
    found = list(zip(*(side.tolist() for side in judge.all_true(entity)), strict=True))
    assert len(found) == judge.true_pairs(entity) == len(wanted)
    assert set(found) == wanted


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=25))
def test_b_cubed_says_what_counting_record_by_record_says(rows: list[tuple[int, int]]) -> None:
    entity, cluster = (np.array(side) for side in zip(*rows, strict=True))
    precision = recall = 0.0
    for e, c in rows:
        both = sum(1 for row in rows if row == (e, c))
        precision += both / sum(1 for row in rows if row[1] == c)
        recall += both / sum(1 for row in rows if row[0] == e)
    found = judge.b_cubed(entity, cluster)
    assert found.precision == pytest.approx(precision / len(rows))
    assert found.recall == pytest.approx(recall / len(rows))


def test_stewards_are_asked_what_the_model_is_least_sure_of_and_some_of_the_rest() -> None:
    log_odds = np.linspace(-10, 10, 2001)
    asked = stewards.asked(log_odds, 30)
    assert len(set(asked.tolist())) == 30
    assert set(np.argsort(np.abs(log_odds))[:19].tolist()) <= set(asked.tolist())
    assert np.abs(log_odds[asked]).max() == pytest.approx(4.0, abs=0.05)
    assert asked.tolist() == stewards.asked(log_odds, 30).tolist()
    assert len(stewards.asked(log_odds[:5], 30)) == 5  # never more than there are


def test_a_check_is_judged_by_the_true_duplicates_it_found() -> None:
    assert single.recall(ENTITY, [0, 3], [[1, 5], [4]]) == 2 / 3
    assert single.queries(ENTITY, 100).tolist() == [0, 1, 2, 3, 4]  # record 5 has no duplicate to be found


def test_invented_suppliers_are_the_same_bytes_everywhere(tmp_path: Path) -> None:
    found = [hashlib.sha256(path.read_bytes()).hexdigest() for path in data.invented(tmp_path, 2000, 7)]
    assert found == [
        "19e0acd3dc3d335dc82f7e8696f57ee031f774bbb9750eef1541c969b5ac8960",
        "c1e6125112469d3a258f02aa1ef8f901462624b66cc261fdf9c312142af181fe",
    ]


def test_our_side_finds_pairs_and_clusters_and_learns_from_decisions(tmp_path: Path) -> None:
    file, truth = data.invented(tmp_path, 2000, 7)
    said = ours.run(file, out=tmp_path, truth=truth, decisions=40, columns=tmp_path / "columns.csv")
    assert (said["records"], said["kind"], said["decisions"]) == (2000, "company", 40)
    known = data.Truth.of(truth, data.ids_of(file))
    for name in ("ours", "decided"):
        found = results.judged(known, np.load(tmp_path / f"{name}.npz"), default=True)
        assert found.pairs.f1 > 0.94
        assert found.clusters.f1 > 0.93
        assert found.reached > 0.98
        assert found.precise > 0.85
    assert len((tmp_path / "columns.csv").read_text(encoding="utf-8").splitlines()) == 2001


def test_real_sites_are_read_as_places(tmp_path: Path) -> None:
    said = ours.run(data.SITES / "records.csv", out=tmp_path)
    truth = data.Truth.of(data.SITES / "truth.csv", data.ids_of(data.SITES / "records.csv"))
    assert (said["records"], said["kind"], judge.true_pairs(truth.entity)) == (3337, "place", 6608)
    assert results.judged(truth, np.load(tmp_path / "ours.npz"), default=True).pairs.f1 > 0.94


def test_a_goal_says_whether_it_was_kept() -> None:
    assert figures.goal("pair F1", 0.96, 0.95) == "goal: pair F1 ≥ 0.95: 0.96, kept"
    assert figures.goal("time", 0.75, 0.5, most=True) == "goal: time ≤ 0.5: 0.75, missed by 0.25"


def test_the_page_shows_tables_below_the_figures() -> None:
    figure = figures.Figure(
        "read", "GET", "requests/s", 50, 100, "a bare view", at="then", machine="here", command="make"
    )
    table = figures.Table(
        "m", "Matching", "What it is.", ["", "F1"], [["ours", ".96"]], ["a note"], "then", "here", "make"
    )
    alone, both = figures.page([figure]), figures.page([table, figure])
    assert both.startswith(alone.rstrip("\n"))
    assert both.endswith(
        "### Matching\n\nWhat it is.\n\n|  | F1 |\n|---|---:|\n| ours | .96 |\n\n* a note\n* then, here, `make`\n"
    )
