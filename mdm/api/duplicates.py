"""The queue of duplicates over REST: filters, judgements and their undo, what follows from them, clusters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from mdm import registry
from mdm.api import documents, match_shapes
from mdm.api.operations import Page, operation
from mdm.api.records import RecordView
from mdm.api.view import HubView
from mdm.errors import CorrectInput, NotFound
from mdm.models import DuplicatePair, MatchDecision
from mdm.selectors import duplicates, records
from mdm.services import clusters, inference, judging, verdicts
from mdm.types import Problem


class DuplicateView(HubView):
    def visible(self) -> QuerySet[DuplicatePair]:
        return duplicates.visible(self.actor)

    def find(self, uid: str) -> DuplicatePair:
        pair = self.visible().filter(**documents.lookup_uid(uid)).first()
        if pair is None:
            raise NotFound("There is no such pair.")
        return pair

    def present_all(self, pairs: Sequence[DuplicatePair]) -> list[dict[str, Any]]:
        names: dict[str, tuple[str, str]] = {}
        for key in {pair.type for pair in pairs}:
            uids = {uid for pair in pairs if pair.type == key for uid in (pair.left, pair.right)}
            names |= records.names(key, uids)
        return [_pair(pair, names) for pair in pairs]

    def whole(self, pair: DuplicatePair) -> dict[str, Any]:
        """The pair with its judgements and what it follows from."""
        decisions = list(pair.decisions.select_related("change").order_by("pk"))
        standing = {one.pk for one in verdicts.read(decisions).standing}
        return {
            **self.present_all([pair])[0],
            "judgements": [_decision(one, one.pk in standing) for one in reversed(decisions)],
            "follows_from": _follows_from(pair),
        }


def _pair(pair: DuplicatePair, names: dict[str, tuple[str, str]]) -> dict[str, Any]:
    def side(uid: Any) -> dict[str, Any]:
        code, name = names.get(str(uid), (None, None))
        return {"uid": uid, "code": code, "name": name}

    return {
        "uid": pair.uid,
        "type": pair.type,
        "kind": pair.kind,
        "left": side(pair.left),
        "right": side(pair.right),
        "score": pair.score,
        "base": round(pair.score - sum(part["weight"] for part in pair.explanation), 4),
        "probability": pair.probability,
        "band": pair.band,
        "flags": pair.flags,
        "explanation": pair.explanation,
        "rank": pair.rank,
        "risk": pair.risk,
        "ranking": pair.ranking,
        "state": pair.state,
        "follows": pair.follows or None,
        "dispute": pair.dispute or None,
        "assigned_to": pair.assigned_to.get_username() if pair.assigned_to else None,
        "reopened_at": pair.reopened_at,
        "evidence_hash": pair.evidence_hash,
        "found_at": pair.found_at,
    }


def _decision(one: MatchDecision, stands: bool) -> dict[str, Any]:
    return {
        "judgement": one.judgement,
        "relation": one.relation or None,
        "reason": one.reason,
        "by": one.decided_by_name,
        "at": one.at,
        "evidence_hash": one.evidence_hash,
        "settles": one.settles,
        "stands": stands,
        "change_request": one.change.uid if one.change else None,
    }


def _follows_from(pair: DuplicatePair) -> list[dict[str, str]]:
    if pair.state != "follows":
        return []
    found = inference.around([pair.left, pair.right]).infer(str(pair.left), str(pair.right))
    return [{"left": e.left, "right": e.right, "judgement": e.verdict} for e in found.via] if found else []


class Duplicates(DuplicateView):
    @operation(
        "List pairs that may be one record",
        scope="read",
        query=match_shapes.DuplicateQuery,
        answers={200: Page[match_shapes.DuplicateBody]},
        notes="By risk × confidence × use, highest first. Shared accounts (`kind` account) need `bank:warnings`.",
    )
    def get(self, request: Request) -> Response:
        asked = {name: str(value) for name, value in self.query.model_dump(exclude_none=True).items()}
        if "record" in asked:
            asked["record"] = str(documents.lookup_uid(asked["record"], "record")["uid"])
        if "type" in asked:
            kind = registry.find(asked["type"])
            asked["type"] = kind.key if kind else "-"
        if asked.pop("reopened", "") == "True":
            asked["reopened"] = "yes"
        rows = duplicates.matching(self.visible().select_related("assigned_to"), asked, by=self.actor)
        return self.page(rows, present_all=self.present_all, order=duplicates.ORDER)


class Counts(DuplicateView):
    @operation(
        "Count pairs by what they wait for", scope="read", answers={200: match_shapes.DuplicateCounts}
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        return Response(duplicates.counts(self.visible(), by=self.actor))


class Duplicate(DuplicateView):
    @operation("Show a pair with its judgements", scope="read", answers={200: match_shapes.WholeDuplicate})
    def get(self, request: Request, uid: str) -> Response:
        return Response(self.whole(self.find(uid)))


class Decide(DuplicateView):
    @operation(
        "Judge a pair",
        scope="steward",
        body=match_shapes.DecideInput,
        answers={200: match_shapes.WholeDuplicate},
        notes="Holds until the compared values change. `related` needs `relation` (what left is to right) and proposes a "
        "change request; `settle` ends a dispute and needs the scope `settle`. A merge is a request of its own.",
    )
    def post(self, request: Request, uid: str) -> Response:
        pair, body = self.find(uid), self.body
        judging.decide(
            pair=pair, judgement=body.judgement, relation=body.relation or "", reason=body.reason, settle=body.settle,
            seen=body.evidence_hash or "", by=self.actor, origin="api",
        )  # fmt: skip
        return Response(self.whole(self.find(uid)))


class DecideMany(DuplicateView):
    @operation(
        "Judge several pairs alike",
        scope="steward",
        body=match_shapes.DecideManyInput,
        answers={200: match_shapes.Judged},
        notes="All or none.",
    )
    def post(self, request: Request) -> Response:
        body = self.body
        found = {pair.uid: pair for pair in self.visible().filter(uid__in=body.pairs)}
        if missing := [uid for uid in body.pairs if uid not in found]:
            text = "There is no such pair."
            raise CorrectInput(text, problems=[Problem(str(uid), "unknown_pair", text) for uid in missing])
        judging.decide_many(pairs=list(found.values()), judgement=body.judgement, reason=body.reason, by=self.actor)
        return Response({"judged": len(found)})


class Undo(DuplicateView):
    @operation(
        "Take your own judgement back", scope="steward", answers={200: match_shapes.WholeDuplicate}
    )  # fmt: skip
    def post(self, request: Request, uid: str) -> Response:
        judging.take_back(pair=self.find(uid), by=self.actor)
        return Response(self.whole(self.find(uid)))


class Assign(DuplicateView):
    @operation(
        "Give a pair to a steward",
        scope="steward",
        body=match_shapes.AssignInput,
        answers={200: match_shapes.WholeDuplicate},
        notes="Without `to` it is given back.",
    )
    def post(self, request: Request, uid: str) -> Response:
        to = duplicates.stewards().filter(username=self.body.to).first() if self.body.to else None
        if self.body.to and to is None:
            text = "There is no steward of that user name."
            raise CorrectInput(text, problems=[Problem("to", "unknown_person", text)])
        judging.assign(pair=self.find(uid), to=to, by=self.actor)
        return Response(self.whole(self.find(uid)))


class Cluster(RecordView):
    @operation(
        "Show everything connected to a record",
        scope="read:{type}",
        answers={200: match_shapes.ClusterBody},
        id="{type}_cluster",
        notes="`groups`: records that could be merged into one; no group holds two that are kept apart.",
    )
    def get(self, request: Request, uid: str) -> Response:
        here = documents.find_uid(self.kind, uid, self.entities)
        found = clusters.around(self.kind.key, here)
        names = records.names(self.kind.key, set(found.members))
        return Response(
            {
                "members": [
                    {"uid": one, "code": names[one][0], "name": names[one][1]} for one in found.members if one in names
                ],
                "groups": [list(group) for group in found.groups],
                "pairs": [
                    {
                        "uid": pair.uid, "left": pair.left, "right": pair.right, "state": pair.state,
                        "follows": pair.follows or None, "probability": pair.probability,
                    }
                    for pair in found.pairs
                    if pair.kind == "duplicate"
                ],
                "cut": found.cut,
            }
        )  # fmt: skip
