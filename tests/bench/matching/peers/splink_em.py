"""Splink on our normalised columns, trained without labels as its documentation says. Runs in var/peers.

`python splink_em.py COLUMNS.csv OUT.npz`: pairs with their match weights, and clusters at several thresholds; prints
seconds of each step as JSON. The clock starts when the rows are in memory.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import warnings

import duckdb
import numpy as np
import pandas as pd
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

KEPT = 0.01  # pairs below this probability are not worth writing down
CLUSTERED_AT = (0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999)
FILLED = 0.03  # a column with less in it is no evidence, and no blocking rule


def comparisons() -> dict[str, cl.ComparisonCreator]:
    """One per column; exact agreement weighs by how common the value is."""
    common = {"term_frequency_adjustments": True}
    return {
        "core": cl.JaroWinklerAtThresholds("core", [0.95, 0.88, 0.8]).configure(**common),
        "form": cl.ExactMatch("form").configure(**common),
        "street": cl.JaroWinklerAtThresholds("street", [0.92, 0.8]).configure(**common),
        "number": cl.ExactMatch("number"),
        "postcode": cl.LevenshteinAtThresholds("postcode", [1]).configure(**common),
        "city": cl.JaroWinklerAtThresholds("city", [0.9]).configure(**common),
        "country": cl.ExactMatch("country").configure(**common),
        "phone": cl.LevenshteinAtThresholds("phone", [2]).configure(**common),
        "domain": cl.ExactMatch("domain").configure(**common),
        "vat": cl.LevenshteinAtThresholds("vat", [1, 2]),
        "bank": cl.ExactMatch("bank").configure(**common),
    }


RULES = (
    ("vat",), ("bank",), ("domain",), ("phone",), ("sorted_core",), ("start", "postcode"), ("start", "city"),
    ("word", "postcode"), ("word", "city"), ("street", "number", "postcode"),
)  # fmt: skip
NO_CITIES = (("street", "number"), ("start", "number"))  # more of a file within one city, whose size allows it
# Pairs that agree in these are nearly always one; from them comes the share of pairs that are one at all.
SURE = (("vat",), ("core", "postcode"), ("core", "street", "number"), ("core", "phone"), ("bank", "core"))
SURE_RECALL = 0.7
TAUGHT_ON = (("vat",), ("core",), ("phone",), ("street", "number"))


def main() -> None:
    source, out = sys.argv[1:3]
    logging.getLogger("splink").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    rows = pd.read_csv(source, dtype=str, keep_default_na=False).replace("", None)
    rows["place"] = rows["place"].astype(int)
    filled = {name for name in rows.columns if rows[name].notna().mean() >= FILLED and rows[name].nunique() > 1}

    def usable(rules: tuple[tuple[str, ...], ...]) -> list[tuple[str, ...]]:
        return [rule for rule in rules if filled.issuperset(rule)]

    rules = usable(RULES) + ([] if "city" in filled else usable(NO_CITIES))
    began, used = time.monotonic(), time.process_time()
    settings = SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="place",
        comparisons=[comparison for name, comparison in comparisons().items() if name in filled],
        blocking_rules_to_generate_predictions=[block_on(*rule) for rule in rules],
        retain_intermediate_calculation_columns=False,
        retain_matching_columns=False,
    )
    linker = Linker(rows, settings, DuckDBAPI(duckdb.connect()))
    sure = [block_on(*rule) for rule in usable(SURE)]
    linker.training.estimate_probability_two_random_records_match(sure, recall=SURE_RECALL)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
    for rule in usable(TAUGHT_ON):
        linker.training.estimate_parameters_using_expectation_maximisation(block_on(*rule))
    trained = time.monotonic()
    found = linker.inference.predict(threshold_match_probability=KEPT)
    linker.misc.query_sql(f"SELECT count(*) FROM {found.physical_name}")
    predicted, used = time.monotonic(), time.process_time() - used
    seconds = 0.0
    clusters = {}
    for number, threshold in enumerate(CLUSTERED_AT):
        begin, cpu = time.monotonic(), time.process_time()
        made = linker.clustering.cluster_pairwise_predictions_at_threshold(found, threshold)
        if number == 2:
            seconds, used = time.monotonic() - begin, used + time.process_time() - cpu
        table = made.as_pandas_dataframe().sort_values("place")
        clusters[f"cluster_{threshold}"] = pd.factorize(table["cluster_id"])[0]
    pairs = found.as_pandas_dataframe()[["place_l", "place_r", "match_weight"]]
    left, right = pairs["place_l"].to_numpy(np.int64), pairs["place_r"].to_numpy(np.int64)
    np.savez(
        out, left=np.minimum(left, right), right=np.maximum(left, right), value=pairs["match_weight"].to_numpy(),
        **clusters,
    )  # fmt: skip
    print(json.dumps({
        "train_s": trained - began, "predict_s": predicted - trained, "clusters_s": seconds,
        "match_s": predicted - began + seconds, "match_cpu_s": used, "kept": len(pairs),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
