"""Merge ∘ unmerge = identity: whatever is merged, edited and taken apart in between, what is left is the edits alone."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from mdm import registry
from mdm.errors import KeptApart, NotNow
from mdm.models import ChangeRequest, Crosswalk, MergeBlock, Provenance, SourceRecord, System
from mdm.selectors import records
from mdm.services import crosswalks, merging, unmerging
from sync.models import Delivery
from tests.sync import world

pytestmark = pytest.mark.django_db
KIND = registry.get("supplier")
SYSTEMS = ("coupa", "s4hana")
EXAMPLES = int(os.environ.get("UNMERGE_STORIES", "25"))  # more of them in a quiet hour

small = st.integers(0, 9)
firms = st.fixed_dictionaries(
    {},
    optional={
        "website": st.sampled_from(["one.example", "two.example"]),
        "currency": st.sampled_from(["EUR", "USD"]),
        "trade_names": st.lists(st.sampled_from(["Ay", "Bee", "Cee"]), unique=True, max_size=3),
        "addresses": st.lists(
            st.builds(
                lambda kind, city: {"kind": kind, "lines": ["1"], "city": city, "country": "DE"},
                st.sampled_from(["registered", "remit_to"]),
                st.sampled_from(["Berlin", "Bonn"]),
            ),
            unique_by=lambda row: row["kind"],
            max_size=2,
        ),
        "keys": st.lists(st.sampled_from(SYSTEMS), max_size=3),
        "parent": small,
    },
)
merges = st.tuples(st.just("merge"), small, st.sets(small, min_size=1, max_size=3), small)
undos = st.tuples(st.just("undo"), small, st.sets(small, max_size=2))
fields = st.sampled_from(["website", "legal_name", "trade_names", "more_names", "contacts", "parent", "block", "key"])
edits = st.tuples(st.just("edit"), small, fields)


@dataclass
class Story:
    """One run: what people edited is noted, so that the same edits can be made in a world without merges."""

    uids: list[str]
    strangers: list[str]  # parents for edits, never merged, each used once
    merged: list[ChangeRequest] = field(default_factory=list)
    edits: list[tuple[str, str, Any]] = field(default_factory=list)
    undone: int = 0

    def living(self) -> list[str]:
        return [uid for uid in self.uids if records.current_document("supplier", uid)["status"] != "merged"]

    def merge(self, survivor: int, losers: set[int], pick: int) -> None:
        here = self.living()
        chosen = list(dict.fromkeys(here[i % len(here)] for i in (survivor, *sorted(losers))))
        if len(chosen) < 2:
            return
        rows = [
            f"{child.name}/{row['uid']}"
            for child in KIND.children
            for document in records.current_documents("supplier", chosen).values()
            for row in document.get(child.name) or []
        ]
        picks = {"website": chosen[pick % len(chosen)]} if pick % 3 == 0 else {}
        drops = sorted(rows)[: pick % 2]
        try:
            change = merging.propose(
                kind=KIND, survivor=chosen[0], losers=chosen[1:], choices=picks, drops=drops, by=world.ROBOT
            )
        except KeptApart:
            return
        assert change.state == "applied"
        self.merged.append(change)

    def undo(self, change: ChangeRequest, members: list[str] | None = None) -> None:
        """What stands in the way is undone first, as the refusal says."""
        while True:
            try:
                done = unmerging.propose(merge=change, members=members, by=world.ROBOT)
            except NotNow as error:
                blocker = error.extra["blocker"]
                self.undo(next(one for one in self.merged if one.number == blocker))
                continue
            assert done.state == "applied"
            self.undone += 1
            return

    def left_of(self, change: ChangeRequest) -> list[str]:
        head = next(item for item in change.items.all() if "losers" in item.detail)
        rows = KIND.model.objects.filter(merged_into=head.detail["survivor"], uid__in=head.detail["losers"])
        return sorted(str(uid) for uid in rows.values_list("uid", flat=True))

    def edit(self, place: int, what: str) -> None:
        here = self.living()
        uid, number = here[place % len(here)], len(self.edits)
        document = records.current_document("supplier", uid)
        value: Any = {
            "website": f"new{number}.example",
            "legal_name": f"New name {number}",
            "trade_names": [f"New {number}"],
            "more_names": f"More {number}",
            "contacts": f"Person {number}",
            "parent": self.strangers[number] if number < len(self.strangers) else None,
            "block": "",
            "key": (SYSTEMS[number % 2], f"since-{number}"),
        }[what]
        if value is None or (what == "block" and document["status"] != "active"):
            return
        self.edits.append((uid, what, value))
        make(uid, what, value)


def make(uid: str, what: str, value: Any) -> None:
    if what == "key":
        crosswalks.link(system=System.objects.get(code=value[0]), type="supplier", key=value[1], uid=uid)
        world.propose("supplier", {"legal_name": f"Known as {value[1]}"}, uid=uid)  # a key is told with the next change
    elif what == "block":
        world.propose("supplier", {}, uid=uid, action="block")
    elif what == "more_names":
        now = records.current_document("supplier", uid)["trade_names"]
        world.propose("supplier", {"trade_names": [*now, value]}, uid=uid)
    elif what == "contacts":
        world.propose("supplier", {"contacts": [{"role": "primary", "name": value}]}, uid=uid)
    else:
        world.propose("supplier", {what: value}, uid=uid)


def found(uids: list[str], rows: set[str]) -> dict[str, Any]:
    """The world as golden records, keys, sources, origins and targets have it; uids of later rows left out."""

    def known(path: str) -> str:
        name, _, uid = path.partition("/")
        return path if not uid or uid in rows else f"{name}/new"

    documents: dict[str, Any] = {}
    for uid in uids:
        document = records.current_document("supplier", uid)
        for child in KIND.children:
            document[child.name] = [{**r, "uid": r["uid"] if r["uid"] in rows else "new"} for r in document[child.name]]
        documents[uid] = {name: value for name, value in document.items() if name != "version"}
    origins = {
        str(row.uid): sorted((known(path), o["system"], o["key"], o["rule"]) for path, o in row.fields.items())
        for row in Provenance.objects.filter(uid__in=uids)
    }
    return {
        "documents": documents,
        "origins": origins,
        "keys": sorted(Crosswalk.objects.values_list("system__code", "key", "uid", "primary", "active")),
        "sources": sorted(SourceRecord.objects.values_list("key", "golden_uid")),
        "targets": at_targets(uids),
    }


def at_targets(uids: list[str]) -> list[tuple[str, str, str, str, bool]]:
    """What each target was told last of each key: (target, key, record, action, the record's version of today).

    Of records without a key only those in force: whether the making of one that was blocked meanwhile is given up is
    not for merges to say.
    """
    versions = {str(uid): version for uid, version in KIND.model.objects.values_list("uid", "version")}
    living = {str(uid) for uid in KIND.model.objects.filter(status="active").values_list("uid", flat=True)}
    last: dict[int, Delivery] = {}
    for delivery in Delivery.objects.select_related("target", "lane").order_by("lane_id", "seq"):
        if delivery.state not in ("cancelled", "superseded"):
            last[delivery.lane_id] = delivery
    return sorted(
        (d.target.code, d.target_key, str(d.record), d.action, d.version == versions[str(d.record)])
        for d in last.values()
        if str(d.record) in uids and (d.target_key or str(d.record) in living)
    )


def begin(drawn: list[dict[str, Any]]) -> Story:
    world.allow_everything()
    for code in SYSTEMS:
        world.target(code, "https://nobody.example")
    story = Story(uids=[], strangers=[world.propose("supplier", {"legal_name": f"P{n}"}) for n in range(3)])
    for number, firm in enumerate(drawn):
        values = {name: value for name, value in firm.items() if name not in ("keys", "parent")}
        if "parent" in firm and story.uids:
            values["parent"] = story.uids[firm["parent"] % len(story.uids)]
        uid = world.propose("supplier", {"legal_name": f"Firm {number}", **values})
        story.uids.append(uid)
        for place, code in enumerate(firm.get("keys", ())):
            where, key = System.objects.get(code=code), f"{number}-{place}"
            crosswalks.link(system=where, type="supplier", key=key, uid=uid)
            SourceRecord.objects.create(
                system=where, type="supplier", key=key, digest=key, document={}, golden_uid=uid,
                received_at=timezone.now(),
            )  # fmt: skip
    world.dispatch_now()
    return story


# Without shrinking: a story takes a second to tell again, and a failing one is short enough to read.
@settings(
    max_examples=EXAMPLES,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(firms, min_size=3, max_size=5),
    merges,
    st.lists(st.one_of(merges, edits, edits, undos), max_size=7),
    st.randoms(use_true_random=False),
)
def test_merges_taken_apart_leave_the_edits_alone(drawn: list[dict[str, Any]], first: Any, steps: Any, chance: Any):
    with transaction.atomic():
        story = begin(drawn)
        rows = {
            row["uid"]
            for document in records.current_documents("supplier", story.uids).values()
            for child in KIND.children
            for row in document[child.name]
        }
        with transaction.atomic():
            for step in (first, *steps):
                if step[0] == "merge":
                    story.merge(*step[1:])
                elif step[0] == "edit":
                    story.edit(*step[1:])
                elif holds := [one for one in story.merged if story.left_of(one)]:
                    change = holds[step[1] % len(holds)]
                    left = story.left_of(change)
                    story.undo(change, sorted({left[i % len(left)] for i in step[2]}) or None)
                world.dispatch_now()
            while holds := [one for one in story.merged if story.left_of(one)]:
                story.undo(chance.choice(holds))
                world.dispatch_now()
            apart = found(story.uids, rows)
            assert MergeBlock.objects.filter(lifted_at=None).count() >= (1 if story.merged else 0)
            transaction.set_rollback(True)
        for edit in story.edits:
            make(*edit)
            world.dispatch_now()
        alone = found(story.uids, rows)
        transaction.set_rollback(True)
    for part in alone:
        assert apart[part] == alone[part], part
