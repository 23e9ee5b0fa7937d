"""Find the duplicates in a file, without loading it into the hub. Needs no database, but with --against-hub."""

from __future__ import annotations

import csv
import json
import os
import resource
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from mdm import registry
from mdm.errors import HubError
from mdm.matching.bulk import Job, Pairs
from mdm.matching.config import MatchConfig
from mdm.matching.files import BadColumn, Columns, as_kind, columns_of, kind_of, read_table
from mdm.matching.model import COMPANY, KINDS, PLACE, Model, shipped
from mdm.matching.score import BANDS
from mdm.matching.training import Labels, decided
from mdm.reading.tables import Reader, read

_SAME = {
    "1": True,
    "true": True,
    "same": True,
    "yes": True,
    "0": False,
    "false": False,
    "different": False,
    "no": False,
}
_KIND_WORDS = {
    COMPANY: "companies: names, ids and contacts decide",
    PLACE: "places: few legal forms and no tax or register numbers, so the address decides",
}


class Command(BaseCommand):
    help = (
        "Find the duplicates in a CSV, XLSX or NDJSON file with the hub's own engine. Writes scored pairs and clusters;"
        " prints counts, time and memory. Columns called record_id, source, name, alias, street or address, postcode or"
        " zip, city, country, vat_id, registration_no, bank_account, phone, email, website need no --map."
    )
    requires_system_checks: list[str] = []  # they ask the database, which this command does without

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--type", required=True, help="record type whose matching is used, such as supplier")
        parser.add_argument("--map", action="append", default=[], metavar="COLUMN=PATH", help="repeat for each column")
        parser.add_argument("--pairs", type=Path, metavar="OUT.csv", help="left,right,score,probability,band")
        parser.add_argument("--clusters", type=Path, metavar="OUT.csv", help="record_id,cluster of every record")
        parser.add_argument(
            "--all-candidates", action="store_true", help="write every scored pair, not only likely ones"
        )
        parser.add_argument(
            "--against-hub", action="store_true", help="compare with the hub's records; needs its database"
        )
        parser.add_argument("--as", dest="kind", choices=("auto", *KINDS), default="auto", help="what the records are")
        parser.add_argument("--model", type=Path, metavar="MODEL.json", help="a model instead of the shipped one")
        parser.add_argument(
            "--decisions", type=Path, metavar="IN.csv", help="left,right,same: judged pairs to learn from"
        )
        parser.add_argument("--save-model", type=Path, metavar="MODEL.json", help="keep the model this file led to")
        parser.add_argument("--no-learning", action="store_true", help="do not learn from tax ids in the file")
        parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: all cores)")

    def handle(self, *args: Any, **options: Any) -> None:
        self.started = time.monotonic()
        _check_files(options)
        try:
            config = _config(options["type"])
            with _open(options["file"]) as reader:
                mapping = _mapping(options["map"])
                columns = columns_of(config, reader.columns, mapping)
                if columns.ignored:
                    self.stderr.write(f"columns not used: {', '.join(columns.ignored)}")
                if options["against_hub"]:
                    self._against_hub(config, columns, reader, options)
                else:
                    self._within(config, columns, reader, options)
        except (BadColumn, ValueError) as error:
            raise CommandError(str(error)) from None
        except HubError as error:
            lines = dict.fromkeys([error.message, *(problem.message for problem in error.problems[:20])])
            raise CommandError("\n".join(lines)) from None
        except OperationalError as error:
            raise CommandError(f"--against-hub needs the hub's database: {str(error).splitlines()[0]}") from None

    def _within(self, config: MatchConfig, columns: Columns, reader: Reader, options: dict[str, Any]) -> None:
        workers = max(1, options["workers"])
        rows = _Rows(reader)
        table = read_table(rows, config, columns, _hasher(), workers=workers, progress=self._tell("rows normalised"))
        ids, bad = _unique(rows.ids), rows.bad
        chosen = _model(options["model"])
        kind = chosen.kind if chosen else kind_of(table) if options["kind"] == "auto" else options["kind"]
        config = as_kind(config, kind)
        self.stderr.write(f"read as {_KIND_WORDS[kind]}" + ("" if options["kind"] != "auto" else " (--as to change)"))
        job = Job(table, config, chosen or shipped(kind))
        read_at = time.monotonic()
        judged = _judged(job, options["decisions"], ids) if options["decisions"] else None
        teaching = not options["no_learning"] and not chosen
        job.model = job.learnt(f"{kind}-decided" if judged else f"{kind}-file", judged, teaching=teaching)
        pairs = job.pairs(workers, self._tell_parts)
        found = job.clusters(pairs, _rank(ids))
        done = time.monotonic()
        kept = np.arange(len(pairs)) if options["all_candidates"] else np.nonzero(pairs.band > 0)[0]
        if options["pairs"]:
            _write(
                options["pairs"],
                ("left", "right", "score", "probability", "band"),
                _pair_rows(pairs, kept, ids, job.model),
            )
        if options["clusters"]:
            _write(options["clusters"], ("record_id", "cluster"), _cluster_rows(found, ids))
        if options["save_model"]:
            options["save_model"].write_text(json.dumps(job.model.as_json(), indent=1) + "\n", encoding="utf-8")
        self._report(
            {
                "records": len(table),
                "rows_not_read": bad,
                "kind": kind,
                "model": job.model.version,
                "candidates": len(pairs),
                "link": int((pairs.band == 2).sum()),
                "review": int((pairs.band == 1).sum()),
                "clusters": len(found),
                "records_in_clusters": sum(map(len, found)),
                "normalising_s": round(read_at - self.started, 1),
                "matching_s": round(done - read_at, 1),
            }
        )

    def _against_hub(self, config: MatchConfig, columns: Columns, reader: Reader, options: dict[str, Any]) -> None:
        from mdm.services import matching  # the hub's side needs its database

        kind = registry.get(config.record_type)
        rows = _Rows(reader)
        counts = {"records": 0, "link": 0, "review": 0}
        tell = self._tell("rows compared")

        def found() -> Iterator[tuple[Any, ...]]:
            for chunk in _chunks(rows, 200):
                documents = [columns.document(row) for row in chunk]
                names = rows.ids[counts["records"] :]
                threshold = -50.0 if options["all_candidates"] else None
                for name, matches in zip(
                    names, matching.search_many(kind=kind, batch=documents, limit=50, threshold=threshold), strict=True
                ):
                    for match in matches:
                        score = match.score
                        counts[score.band] = counts.get(score.band, 0) + 1
                        best = (name, match.code, score.value, round(score.probability, 6), score.band)
                        if score.band != "none":
                            links.setdefault(name, match.code)
                        yield best
                counts["records"] += len(chunk)
                tell(counts["records"])

        links: dict[str, str] = {}
        header = ("left", "right", "score", "probability", "band")
        if options["pairs"]:
            _write(options["pairs"], header, found())
        else:
            for _ in found():
                pass
        if options["clusters"]:
            _write(options["clusters"], ("record_id", "cluster"), ((id_, links.get(id_, id_)) for id_ in rows.ids))
        self._report({**counts, "rows_not_read": rows.bad, "records_known": len(links)})

    def _tell(self, what: str) -> Any:
        last = [0.0]

        def tell(count: int) -> None:
            if time.monotonic() - last[0] > 2:
                last[0] = time.monotonic()
                self.stderr.write(f"{count:,} {what}, {time.monotonic() - self.started:.0f} s")

        return tell

    def _tell_parts(self, done: int, all_: int) -> None:
        if all_ > 4:
            self.stderr.write(f"part {done} of {all_} compared, {time.monotonic() - self.started:.0f} s")

    def _report(self, counts: dict[str, Any]) -> None:
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        others = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        self.stdout.write(
            json.dumps(
                {**counts, "seconds": round(time.monotonic() - self.started, 1), "peak_mib": round(max(used, others))}
            )
        )


def _config(type_key: str) -> MatchConfig:
    known = [kind.key for kind in registry.all_types() if kind.match]
    if type_key not in known:
        raise CommandError(f"No matching is declared for “{type_key}”. Known: {', '.join(known)}.")
    config = registry.get(type_key).match
    assert config is not None
    return config


def _open(path: Path) -> Reader:
    if not path.is_file():
        raise CommandError(f"There is no file {path}.")
    return read(path.open("rb"))


def _mapping(texts: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        column, is_, path = text.partition("=")
        if not is_ or not column or not path:
            raise CommandError(f"--map {text}: write COLUMN=path, such as --map Vendor=legal_name")
        found[column] = path
    return found


class _Rows:
    """The rows that can be read, their ids on the side: record_id, else the number of the row."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.ids: list[str] = []
        self.bad = 0
        self.column = next((c for c in reader.columns if c.strip().lower() == "record_id"), "")

    def __iter__(self) -> Iterator[Mapping[str, str]]:
        for row in self.reader:
            if row.problem:
                self.bad += 1
                continue
            self.ids.append((row.values.get(self.column) or "").strip() or str(row.number))
            yield row.values


def _unique(ids: list[str]) -> list[str]:
    if len(set(ids)) < len(ids):
        double, _ = Counter(ids).most_common(1)[0]
        raise CommandError(f"record_id must name one row only: {double} stands in several.")
    return ids


def _check_files(options: dict[str, Any]) -> None:
    """Before minutes of work: what is to be read is there, and what is to be written has a folder."""
    for name in ("model", "decisions"):
        if options[name] and not options[name].is_file():
            raise CommandError(f"--{name}: there is no file {options[name]}.")
    for name in ("pairs", "clusters", "save_model"):
        if options[name] and not options[name].parent.is_dir():
            raise CommandError(f"--{name.replace('_', '-')}: there is no folder {options[name].parent}; make it first.")
    _model(options["model"])


def _chunks(rows: _Rows, size: int) -> Iterator[list[Mapping[str, str]]]:
    chunk: list[Mapping[str, str]] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _hasher() -> Any:
    key = secrets.token_bytes(32)  # accounts are compared, never kept: a key that nobody has afterwards
    return lambda number: blake2b(number.encode(), key=key, digest_size=16).hexdigest()


def _model(path: Path | None) -> Model | None:
    if path is None:
        return None
    try:
        return Model.of_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, json.JSONDecodeError) as error:
        raise CommandError(f"{path} holds no matching model: {error}") from None


def _judged(job: Job, path: Path, ids: list[str]) -> Labels | None:
    """What people said of pairs of this file."""
    place = {id_: number for number, id_ in enumerate(ids)}
    left, right, same = [], [], []
    with path.open(encoding="utf-8-sig", newline="") as file:
        for line, row in enumerate(csv.DictReader(file), start=2):
            one, other, said = (str(row.get(c) or "").strip() for c in ("left", "right", "same"))
            if one not in place or other not in place or said.lower() not in _SAME:
                raise CommandError(f"{path}, line {line}: needs left and right of the file and same true or false.")
            left.append(place[one])
            right.append(place[other])
            same.append(_SAME[said.lower()])
    if not left:
        return None
    return decided(job.comparer.compare(np.array(left), np.array(right)).levels, np.array(same))


def _rank(ids: list[str]) -> Any:
    rank = np.empty(len(ids), dtype=np.int64)
    rank[np.array(sorted(range(len(ids)), key=ids.__getitem__), dtype=np.int64)] = np.arange(len(ids))
    return rank


def _pair_rows(pairs: Pairs, kept: Any, ids: list[str], model: Model) -> Iterator[tuple[Any, ...]]:
    chances = model.probabilities(pairs.value[kept].astype(np.float64))
    columns = (pairs.left[kept], pairs.right[kept], pairs.value[kept], chances, pairs.band[kept])
    for left, right, value, chance, band in zip(*(column.tolist() for column in columns), strict=True):
        yield ids[left], ids[right], value, round(chance, 6), BANDS[band]


def _cluster_rows(found: list[list[int]], ids: list[str]) -> Iterator[tuple[str, str]]:
    """A cluster is called by the first of its members' ids in order, a record alone by its own."""
    name = {}
    for members in found:
        first = min(ids[member] for member in members)
        name.update(dict.fromkeys(members, first))
    for record, id_ in enumerate(ids):
        yield id_, name.get(record, id_)


def _write(path: Path, header: Sequence[str], rows: Iterator[tuple[Any, ...]]) -> None:
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    partial.replace(path)  # whole or not at all
