"""Staged source records meet the golden ones: known key → update; match → link, candidate or new. In bulk, explained."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils import timezone

from mdm import registry
from mdm.matching.score import Score
from mdm.matching.store import MemoryKeyStore
from mdm.models import ChangeItem, ChangeRequest, Crosswalk, ImportJob, SourceRecord, System
from mdm.reading.paths import CODE
from mdm.registry import RecordType
from mdm.services import (
    bulk,
    comparisons,
    confirmations,
    documents,
    indexing,
    matching,
    pin_upkeep,
    policy,
    proposing,
    rebuilding,
    retiring,
    source_lines,
    survivorship,
    uniqueness,
)
from mdm.services.policy import Facts
from mdm.services.records import Write, write
from mdm.types import Actor, Document, diff


@dataclass
class Plan:
    """What one chunk will do: source rows per golden uid, outcomes per row, pairs found on the way."""

    rows: dict[str, list[SourceRecord]] = field(default_factory=lambda: defaultdict(list))
    outcome: dict[int, str] = field(default_factory=dict)
    new: list[str] = field(default_factory=list)
    pairs: list[tuple[str, str, Score]] = field(default_factory=list)
    unplaced: list[SourceRecord] = field(default_factory=list)


def counted(plan: Plan, rows: Sequence[SourceRecord]) -> Counter[str]:
    """How many rows of the file came to which outcome."""
    found: Counter[str] = Counter()
    for row in rows:
        found[plan.outcome[row.pk]] += source_lines.weight(row)
    return found


class Resolver:
    """Resolves chunks of one job; rules, policies and word statistics are loaded once."""

    def __init__(self, *, job: ImportJob, change: ChangeRequest, by: Actor) -> None:
        self.job, self.change, self.by = job, change, by
        self.kind: RecordType = registry.get(job.type)
        self.rules = survivorship.load(self.kind)
        self.policies = policy.load()
        self.systems = dict(System.objects.values_list("pk", "code"))
        self.keys = indexing.StoredKeys(self.kind.key)

    def resolve(self, rows: Sequence[SourceRecord]) -> Counter[str]:
        """Make records of these rows in the caller's transaction; how many came to which outcome."""
        plan = Plan()
        unknown = self._place_known(rows, plan)
        self._place_by_matching(self._place_by_code(unknown, plan), plan)
        now = timezone.now()
        self._write_new(plan, now)
        self._write_existing(plan, now)
        self._save_links(plan, now)
        if plan.pairs:
            matching.record_pairs(kind=self.kind, scored=plan.pairs, job=self.job)
        return counted(plan, rows)

    def _place_known(self, rows: Sequence[SourceRecord], plan: Plan) -> list[SourceRecord]:
        keys = dict(
            Crosswalk.objects.filter(
                system=self.job.system, type=self.kind.key, key__in=[row.key for row in rows], active=True
            ).values_list("key", "uid")
        )
        unknown = []
        for row in rows:
            uid = row.golden_uid or keys.get(row.key)
            if uid is None and not row.active:
                plan.outcome[row.pk] = "unchanged"  # deleted there before the hub ever knew it
                plan.unplaced.append(row)
                continue
            if uid is None:
                unknown.append(row)
                continue
            plan.rows[str(uid)].append(row)
            plan.outcome[row.pk] = "updated"
        return unknown

    def _place_by_code(self, rows: list[SourceRecord], plan: Plan) -> list[SourceRecord]:
        """A row that names the hub's code of a record is that record; those that name none there is are left."""
        named = [code for row in rows if (code := row.document.get(CODE))]
        if not named:
            return rows
        there = self.kind.model._default_manager.filter(code__in=named).exclude(status="merged")
        held = {code: str(uid) for uid, code in there.values_list("uid", "code")}
        for row in rows:
            if uid := held.get(row.document.get(CODE, "")):
                plan.rows[uid].append(row)
                plan.outcome[row.pk] = "linked"
        return [row for row in rows if row.pk not in plan.outcome]

    def _place_by_matching(self, rows: list[SourceRecord], plan: Plan) -> None:
        """Each row against the stored records and against the new ones of this chunk, in file order."""
        if self.kind.match is None:
            self._place_by_identity(rows, plan)
            return
        engine, rarity = indexing.engine(self.kind.key), self.keys.rarity
        features = [engine.features(row.document) for row in rows]
        fresh = MemoryKeyStore(rarity)
        fresh.add(list(enumerate(features)))
        near: list[list[tuple[Any, Any]]] = [
            [*stored, *((other, theirs) for other, theirs in own if other < place)]
            for place, (stored, own) in enumerate(
                zip(self.keys.candidates(features, rarity=rarity), fresh.candidates(features, limit=50), strict=True)
            )
        ]
        uids: dict[int, str] = {}  # of the rows that became records of their own
        best_of = engine.rank_all(features, near, limit=15, rarity=rarity)
        known = confirmations.partners({id_ for ranked in best_of for id_, _ in ranked if isinstance(id_, str)})
        for place, (row, ranked) in enumerate(zip(rows, best_of, strict=True)):
            judged = [(id_, confirmations.held(engine, score, id_ in known)) for id_, score in ranked]
            found = [(uids.get(id_, "") if isinstance(id_, int) else id_, score) for id_, score in judged]
            found = [(uid, score) for uid, score in found if uid and score.band != "none"][:10]
            if found and found[0][1].band == "link":
                best = found[0][0]
                plan.rows[best].append(row)
                plan.outcome[row.pk] = "linked"
                plan.pairs += [(best, uid, score) for uid, score in found[1:] if score.band == "link"]
                continue
            uids[place] = self._place_new(row, plan)
            warned = engine.bank_warnings(features[place], near[place], rarity)
            named = ((uids.get(id_, "") if isinstance(id_, int) else id_, score) for id_, score in warned)
            plan.pairs += [(uids[place], uid, score) for uid, score in named if uid]
            if found:
                plan.outcome[row.pk] = "candidate"
                plan.pairs += [(uids[place], uid, score) for uid, score in found]

    def _place_by_identity(self, rows: list[SourceRecord], plan: Plan) -> None:
        """A row with values that only one record may have is that record, or the one an earlier row of the chunk made."""
        held: dict[tuple[Any, ...], str] = {}
        for fields in uniqueness.fields_of(self.kind):
            said = {f"{name}__in": {row.document.get(name) for row in rows} for name in fields}
            there = self.kind.model._default_manager.filter(**said).values_list("uid", *fields)
            held |= {(fields, *values): str(uid) for uid, *values in there}
        for row in rows:
            claims = [(fields, *values) for fields, values in uniqueness.claims(self.kind, None, row.document)]
            claims += [((CODE,), code)] if (code := row.document.get(CODE)) else []
            if (uid := next((held[claim] for claim in claims if claim in held), None)) is not None:
                plan.rows[uid].append(row)
                plan.outcome[row.pk] = "linked"
            else:
                uid = self._place_new(row, plan)
            held |= dict.fromkeys(claims, uid)

    def _place_new(self, row: SourceRecord, plan: Plan) -> str:
        uid = str(uuid.uuid4())
        plan.rows[uid].append(row)
        plan.new.append(uid)
        plan.outcome[row.pk] = "new"
        return uid

    def _write_new(self, plan: Plan, now: datetime) -> None:
        bodies = []
        for uid in plan.new:
            known = survivorship.Known(sources=survivorship.of_rows(plan.rows[uid], self.systems))
            survived = survivorship.compute(kind=self.kind, rules=self.rules, known=known, current=None)
            bodies.append((documents.adopt_uids(self.kind, survived.body, None), survived.where))
        wanted = [plan.rows[uid][0].document.get(CODE) or "" for uid in plan.new]
        codes = proposing.codes(self.kind, [body for body, _ in bodies], wanted)
        writes = []
        for uid, code, (body, where) in zip(plan.new, codes, bodies, strict=True):
            after = {"schema": self.kind.schema, "uid": uid, "code": code, "status": "active", **body}
            writes.append(Write(kind=self.kind, action="create", before=None, after=after, provenance=where))
        self._apply(writes, now)

    def _write_existing(self, plan: Plan, now: datetime) -> None:
        """Existing records that got rows: recomputed from all their sources; what policy leaves to people is asked for."""
        uids = sorted(set(plan.rows) - set(plan.new))
        if not uids:
            return
        current = rebuilding.lock(self.kind, uids)
        fresh = {uid: plan.rows[uid] for uid in uids}
        writes = []
        settled, same = {}, {}
        for uid, known in survivorship.gather(self.kind, current, systems=self.systems, fresh=fresh).items():
            one = rebuilding.look(self.kind, self.rules, current[uid], known)
            where = one.survived.where
            if not one.changes:
                same[uid] = settled[uid] = one
                for row in plan.rows[uid]:
                    if plan.outcome[row.pk] == "updated":
                        plan.outcome[row.pk] = "unchanged"
            elif self._may_apply(one.before, one.after, [change.path for change in one.changes]):
                settled[uid] = one
                writes.append(
                    Write(kind=self.kind, action="update", before=one.before, after=one.after, provenance=where)
                )
            else:
                self._ask(one)
        self._apply(writes, now)
        rebuilding.keep_origins(self.kind, same)
        pin_upkeep.settle(self.kind, settled, self.rules)
        moved = comparisons.touched([(item.before, item.after) for item in writes], kind=self.kind)
        comparisons.put_down(self.kind, moved)  # its import compares them once the chunk is committed

    def _may_apply(self, before: Document, after: Document, paths: list[str]) -> bool:
        if before["status"] not in ("active", "blocked") or retiring.needs_people(self.kind, before, after):
            return False
        facts = Facts(
            type=self.kind.key,
            action="update",
            paths=tuple(paths),
            origin="import",
            system=self.job.system.code,
            countries=frozenset(filter(None, [before.get("country"), after.get("country")])),
        )
        # Whoever approved this load approved its plain changes; a rule about the very fields asks once more.
        asking = [p for p in self.policies if p.paths and not p.auto_approve and policy.matches(p, facts)]
        return not asking

    def _ask(self, one: rebuilding.Outlook) -> None:
        """A change that policy leaves to people becomes a request of its own."""
        reason = f"{self.job.system.title} sent other values in {self.job.file_name}."
        rebuilding.ask(kind=self.kind, one=one, by=self.by, reason=reason, system=self.job.system.code)

    def _apply(self, writes: list[Write], now: datetime) -> None:
        if not writes:
            return
        versions = write(writes, change=self.change, by=self.by, at=now)
        bulk.insert(
            [
                ChangeItem(
                    request=self.change,
                    type=self.kind.key,
                    uid=item.after["uid"],
                    label=self.kind.name_of(item.after)[:300],
                    action=item.action,
                    base_version=item.before["version"] if item.before else None,
                    result_version=version.version,
                    # A new record's values stand in its first version; only changes of existing ones are kept twice.
                    changes=[change.as_json() for change in diff(item.before, item.after)] if item.before else [],
                    detail={"code": item.after["code"]},
                )
                for item, version in zip(writes, versions, strict=True)
            ]
        )

    def _save_links(self, plan: Plan, now: datetime) -> None:
        """Crosswalk rows for new keys, and every source row told where it went."""
        keyed = [(row, uid) for uid, rows in plan.rows.items() for row in rows]
        have = set(
            Crosswalk.objects.filter(system=self.job.system, uid__in=plan.rows, active=True, primary=True).values_list(
                "uid", flat=True
            )
        )
        taken = {str(uid) for uid in have}
        new = []
        known = set(
            Crosswalk.objects.filter(
                system=self.job.system, type=self.kind.key, key__in=[row.key for row, _ in keyed]
            ).values_list("key", flat=True)
        )
        for row, uid in keyed:
            if row.key not in known:
                new.append(
                    Crosswalk(
                        system=self.job.system,
                        type=self.kind.key,
                        key=row.key,
                        uid=uid,
                        primary=uid not in taken,
                        since=now,
                    )
                )
                taken.add(uid)
        bulk.insert(new)
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE mdm_sourcerecord s SET golden_uid = v.uid, outcome = v.outcome "
                "FROM unnest(%s::bigint[], %s::uuid[], %s::text[]) AS v(id, uid, outcome) WHERE s.id = v.id",
                [
                    [*(row.pk for row, _ in keyed), *(row.pk for row in plan.unplaced)],
                    [*(uid for _, uid in keyed), *(None for _ in plan.unplaced)],
                    [*(plan.outcome[row.pk] for row, _ in keyed), *(plan.outcome[row.pk] for row in plan.unplaced)],
                ],
            )
