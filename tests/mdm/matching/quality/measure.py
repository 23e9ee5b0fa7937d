"""Measures the engine on files with known truth: pair precision, recall, F1, bands, speed.

python -m tests.mdm.matching.quality.measure --kind suppliers RECORDS.csv TRUTH.csv
python -m tests.mdm.matching.quality.measure --kind sites RECORDS.csv TRUTH.csv
python -m tests.mdm.matching.quality.measure --kind names PAIRS.csv
"""

import argparse
import csv
import resource
import time
from collections import defaultdict
from itertools import combinations
from typing import Any

import numpy as np

from mdm.matching import Engine, MatchConfig, MemoryKeyStore
from tests.mdm.matching.configs import blind_index, site_config, supplier_config

Pair = tuple[str, str]


def read_rows(path: str) -> list[dict[str, str]]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def supplier_document(row: dict[str, str]) -> dict[str, Any]:
    address = {"lines": [row["street"]], "postal_code": row["postcode"], "city": row["city"]}
    document: dict[str, Any] = {
        "legal_name": row["name"],
        "trade_names": [row["alias"]],
        "country": row["country"],
        "addresses": [address],
        "contacts": [{"phone": row["phone"], "email": row["email"]}],
        "website": row["website"],
    }
    if row["vat_id"]:
        document["tax_registrations"] = [{"country": row["country"], "scheme": "VAT", "number": row["vat_id"]}]
    if row["registration_no"]:
        document["identifiers"] = [{"scheme": "REGISTER", "value": row["registration_no"]}]
    if row["bank_account"]:
        document["bank_accounts"] = [{"iban": row["bank_account"]}]
    return document


def site_document(row: dict[str, str]) -> dict[str, Any]:
    return {
        "legal_name": row["name"],
        "addresses": [{"lines": [row["address"]], "postal_code": row["zip"]}],
        "contacts": [{"phone": row["phone"], "email": row["email"]}],
        "website": row["website"],
    }


def true_pairs(path: str) -> set[Pair]:
    members: dict[str, list[str]] = defaultdict(list)
    for row in read_rows(path):
        members[row["entity_id"]].append(row["record_id"])
    return {ordered(pair) for ids in members.values() for pair in combinations(ids, 2)}


def ordered(pair: Pair) -> Pair:
    return pair if pair[0] <= pair[1] else (pair[1], pair[0])


def figures(found: set[Pair], truth: set[Pair]) -> tuple[float, float, float]:
    hits = len(found & truth)
    precision, recall = hits / max(1, len(found)), hits / max(1, len(truth))
    return precision, recall, 2 * precision * recall / max(1e-9, precision + recall)


def measure_records(config: MatchConfig, rows: list[dict[str, str]], truth: set[Pair], documents: Any) -> None:
    engine = Engine(config, hasher=blind_index)
    prepared = [(row["record_id"], documents(row)) for row in rows]
    engine.features(prepared[0][1])
    start = time.perf_counter()
    features = [(id_, engine.features(document)) for id_, document in prepared]
    made = time.perf_counter()
    store = MemoryKeyStore()
    for id_, feature in features:
        store.add(id_, feature)
    stored = time.perf_counter()
    pairs = list(store.pairs())
    candidates = len(pairs)
    blocked = time.perf_counter()
    sum(1 for _ in engine.duplicates(store))
    found = time.perf_counter()
    everything = engine.duplicates(store, threshold=-50.0)
    scored = [(ordered((str(one), str(other))), score) for one, other, score in everything]
    kept = {pair for pair, _ in scored}
    print(f"records {len(rows):,}  true pairs {len(truth):,}  candidates {candidates:,}")
    print(f"candidates per true pair {candidates / len(truth):.1f}, recall {len(kept & truth) / len(truth):.4f}")
    each = 1e6 / len(rows)
    print(f"features {each * (made - start):.0f} µs, keys and store {each * (stored - made):.0f} µs a record")
    print(f"pairs to judged duplicates {candidates / (found - blocked):,.0f} pairs/s, peak {_peak():.0f} MB")
    print(f"{'':24}{'pairs':>9}{'P':>8}{'R':>8}{'F1':>8}")
    bands = {"link band": {"link"}, "link + review (default)": {"link", "review"}}
    for title, wanted in bands.items():
        show(title, {pair for pair, score in scored if score.band in wanted}, truth)
    values = sorted({round(score.value * 2) / 2 for _, score in scored})
    for floor in (v for v in values if -2 <= v <= 6 and v == int(v)):
        show(f"value ≥ {floor:+.0f}", {pair for pair, score in scored if score.value >= floor}, truth)
    for flag in sorted({flag for _, score in scored for flag in score.flags}):
        flagged = {pair for pair, score in scored if flag in score.flags and score.band != "none"}
        print(f"flag {flag} in review: {len(flagged):,}, of them true {len(flagged & truth):,}")
    measure_single(engine, store, [feature for _, feature in features[:: max(1, len(features) // 500)]])


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def show(title: str, found: set[Pair], truth: set[Pair]) -> None:
    precision, recall, f1 = figures(found, truth)
    print(f"{title:24}{len(found):>9,}{precision:>8.3f}{recall:>8.3f}{f1:>8.3f}")


def measure_single(engine: Engine, store: MemoryKeyStore, queries: list[dict[str, Any]]) -> None:
    took = []
    counts = []
    for features in queries:
        start = time.perf_counter()
        candidates = store.candidates(features)
        engine.rank(features, candidates, limit=10, rarity=store)
        took.append(time.perf_counter() - start)
        counts.append(len(candidates))
    some = [store.features(id_) for id_ in list(store.ids())[:200]]
    start = time.perf_counter()
    engine.rank(some[0], list(enumerate(some)), limit=10, threshold=-50.0, rarity=store)
    full = time.perf_counter() - start
    p50, p95 = (1000 * float(np.percentile(took, p)) for p in (50, 95))
    print(
        f"single check p50 {p50:.2f} ms  p95 {p95:.2f} ms  ({np.mean(counts):.0f} candidates on average)",
        end="  ",
    )
    print(f"over {len(some)} candidates {1000 * full:.1f} ms")


def measure_names(rows: list[dict[str, str]]) -> None:
    engine = Engine(supplier_config())
    pairs = [
        (engine.features({"legal_name": row["name1"]}), engine.features({"legal_name": row["name2"]})) for row in rows
    ]
    start = time.perf_counter()
    values = engine.values(engine.levels(pairs))
    took = time.perf_counter() - start
    same = np.array([row["is_match"] == "true" for row in rows])
    print(f"pairs {len(rows)}  {1e6 * took / len(rows):.0f} µs a pair")
    best = max(sorted(set(values)), key=lambda floor: _f1(values >= floor, same))
    for title, floor in (("value ≥ 0 (default)", 0.0), (f"value ≥ {best:+.2f} (best)", best)):
        said = values >= floor
        hits = int((said & same).sum())
        print(f"{title:24} P {hits / said.sum():.3f}  R {hits / same.sum():.3f}  F1 {_f1(said, same):.3f}")


def _f1(said: Any, same: Any) -> float:
    return float(2 * (said & same).sum() / (said.sum() + same.sum()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=("suppliers", "sites", "names"), required=True)
    parser.add_argument("--as-suppliers", action="store_true", help="judge sites with the supplier weights")
    parser.add_argument("files", nargs="+")
    chosen = parser.parse_args()
    rows = read_rows(chosen.files[0])
    if chosen.kind == "names":
        measure_names(rows)
        return
    documents = supplier_document if chosen.kind == "suppliers" else site_document
    config = supplier_config() if chosen.kind == "suppliers" or chosen.as_suppliers else site_config()
    measure_records(config, rows, true_pairs(chosen.files[1]), documents)


if __name__ == "__main__":
    main()
