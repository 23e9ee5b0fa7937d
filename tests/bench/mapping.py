"""Mapping rules: what resolving a code costs beside a bare look-up in a dict, at a million explicit rows and 2,000 rules.

`python -m tests.bench.mapping` is the measured process: compiles, resolves, checks, prints JSON. It needs no database.
"""

from __future__ import annotations

import json
import os
import random
import resource
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import date

from mdm.mapping import Between, Equals, In, Like, Row, check, compile, when
from tests.bench import ground
from tests.bench.figures import Figure

EXPLICIT, RULES, LOOKED_UP, ROUNDS = 1_000_000, 2_000, 200_000, 5
DAY, CONTEXT = date(2026, 1, 31), {"legal_entity": "E7", "cost_center": "0033"}


def measure() -> Figure:
    said, _seconds, _peak = ground.run_measured([sys.executable, "-m", "tests.bench.mapping"], dict(os.environ))
    found = json.loads(said.splitlines()[-1])
    return Figure(
        name="mapping-resolve",
        title="Mapping of codes at 1,000,000 explicit rows",
        unit="codes/s",
        value=found["explicit"],
        limit=found["dict"],
        limit_is="a bare loop that looks the same codes up in a dict",
        notes=[
            f"and {RULES:,} rules (ranges, lists, multi, patterns; half with conditions), in plain Python; times are of one core",
            f"best of {ROUNDS} rounds of {LOOKED_UP:,} codes; codes that rules decide: {found['rules']:,.0f} codes/s",
            f"compiled in {found['compile']:.1f} s; peak resident memory until then {found['peak']:,.0f} MiB",
            f"one range held against all rows (unreachable, shadowed, overlapping): {found['about'] * 1000:,.0f} ms",
        ],
    )


def rows() -> Iterator[Row]:
    chance, number = random.Random(7), 0
    for number in range(1, EXPLICIT + 1):
        yield Row(uuid.UUID(int=number), Equals(f"{1_000_000 + number:08d}"), f"T{number % 50_000:06d}")
    for n in range(RULES):
        number += 1
        entity = Equals(f"E{n % 40}")
        conditions = when({"legal_entity": entity}) if n % 2 else ()
        code = chance.randrange(2_100_000, 9_000_000)
        if n % 5 < 2:
            source = Between(f"{code:08d}", f"{code + chance.choice([100, 1000, 10_000, 500_000]):08d}")
        elif n % 5 == 2:
            source = In(tuple(f"{chance.randrange(2_100_000, 9_000_000):08d}" for _ in range(20)))
        elif n % 5 == 3:
            source = Like(f"0{chance.randrange(20, 9000)}*")
        else:
            source = None
            conditions = when({"legal_entity": entity, "cost_center": Between(f"{n:04d}", f"{n + 50:04d}")})
        yield Row(uuid.UUID(int=number), source, f"R{n}", conditions)


def main() -> None:
    chance = random.Random(11)
    began = time.process_time()
    built = compile(rows())
    compiled = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # kilobytes on Linux
    known = [f"{chance.randrange(1_000_001, 1_000_001 + EXPLICIT):08d}" for _ in range(LOOKED_UP)]
    other = [f"{chance.randrange(2_100_000, 9_000_000):08d}" for _ in range(LOOKED_UP)]
    began = time.process_time()
    check(built, about=[uuid.UUID(int=EXPLICIT + RULES // 2 + 1)])
    about = time.process_time() - began
    found = {
        "explicit": _rate(lambda: built.resolve_many(known, CONTEXT, DAY)),
        "rules": _rate(lambda: built.resolve_many(other, CONTEXT, DAY)),
    }
    bare = {code: f"T{number % 50_000:06d}" for number, code in enumerate(built.explicit)}
    found["dict"] = _rate(lambda: [bare[code] for code in known])
    print(json.dumps(found | {"compile": compiled, "about": about, "peak": peak}))


def _rate(work: Callable[[], object]) -> float:
    best = float("inf")
    for _round in range(ROUNDS):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return LOOKED_UP / best


if __name__ == "__main__":
    main()
