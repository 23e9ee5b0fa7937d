"""`python -m tests.bench`: measures, prints, and writes docs/quality.md."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime

from tests.bench import ground, mapping
from tests.bench.figures import PAGE, Figure, keep

WITH_A_HUB = ("import", "read", "deliver", "grow", "load", "periods", "coding", "translate", "trees")
PARTS = (*WITH_A_HUB, "mapping")


def main() -> int:
    chosen = _arguments()
    figures = [_told(mapping.measure())] if "mapping" in chosen.only else []
    if set(chosen.only) & set(WITH_A_HUB):
        here = ground.prepare()
        try:
            figures += _measure(here, chosen)
        finally:
            ground.leave()
    now, machine = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), ground.machine()
    for figure in figures:
        figure.at, figure.machine, figure.command = now, machine, _command()
    keep(figures)
    print(f"written to {PAGE.relative_to(ground.ROOT)}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000, help="suppliers to import (default 10,000)")
    parser.add_argument("--seconds", type=float, default=3, help="length of one HTTP round (default 3)")
    parser.add_argument("--deliveries", type=int, default=400, help="deliveries and first loads to time (default 400)")
    parser.add_argument("--only", choices=PARTS, action="append", help="measure only this; may be repeated")
    chosen = parser.parse_args()
    chosen.only = chosen.only or list(PARTS)
    return chosen


def _command() -> str:
    arguments = " ".join(sys.argv[1:])
    return f'make bench ARGS="{arguments}"' if arguments else "make bench"


def _measure(here: ground.Ground, chosen: argparse.Namespace) -> list[Figure]:
    import django

    django.setup()
    from tests.bench import coding, delivering, importing, loading, periods, reading, translating, trees

    figures = [_told(periods.measure(here))] if "periods" in chosen.only else []
    if not set(chosen.only) & {"import", "read", "deliver", "grow", "load", "translate", "trees", "coding"}:
        return figures
    tokens = ground.populate()
    if "translate" in chosen.only:
        figures.append(_told(translating.measure(here, tokens[0])))
    if "trees" in chosen.only:
        figures += map(_told, trees.measure(here, tokens, chosen.seconds))
    if "coding" in chosen.only:
        figures += map(_told, coding.measure(here))
    if not set(chosen.only) & {"import", "read", "deliver", "grow", "load"}:
        return figures
    imported = importing.measure(here, chosen.rows if "import" in chosen.only else 1000)
    if "import" in chosen.only:  # otherwise records were only needed to read and send something
        figures.append(_told(imported))
    if "read" in chosen.only:
        figures += map(_told, reading.measure(here, tokens, chosen.seconds))
    rate, growth = "deliver" in chosen.only, "grow" in chosen.only
    if rate or growth:
        deliveries = chosen.deliveries if rate else delivering.GROWN
        figures += map(_told, delivering.measure(here, deliveries, rate=rate, growth=growth))
    if "load" in chosen.only:
        figures += map(_told, loading.measure(here, chosen.deliveries))
    return figures


def _told(figure: Figure) -> Figure:
    print(figure.line(), flush=True)
    for note in figure.notes:
        print(f"    {note}", flush=True)
    return figure


if __name__ == "__main__":
    sys.exit(main())
