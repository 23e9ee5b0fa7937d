"""The demo's suppliers: three extracts through the front door, then three weeks of requests, in every state."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import yaml
from django.contrib.auth.models import User

from mdm.demo import clock
from mdm.models import ImportJob, System
from mdm.permissions import actor_of
from mdm.services import changes, importing, loading
from mdm.services.changes import ProposedItem
from mdm.types import Actor
from suppliers.demo import requests
from suppliers.models import Identifier, Supplier

Say = Callable[[str], None]
HERE = Path(__file__).parent
# System, its file, and how many days ago the demo loads it.
EXTRACTS = (
    ("s4hana", "s4hana_suppliers.csv", 20),
    ("coupa", "coupa_suppliers.xlsx", 19),
    ("concur", "concur_vendors.ndjson", 18),
)


def load_extracts(say: Say) -> None:
    """The three files, as a steward would load them; a file loaded before is skipped, one left half-way is gone on with."""
    mappings = yaml.safe_load((HERE / "mappings.yaml").read_text())
    by = actor_of(User.objects.get(username="mara"))
    for code, name, days in EXTRACTS:
        system = System.objects.get(code=code)
        job = ImportJob.objects.filter(system=system, file_name=name).exclude(state__in=("failed", "cancelled")).first()
        if job is None:
            clock.at(days, 9)
            with (HERE / "extracts" / name).open("rb") as stream:
                job = importing.receive(
                    system=system,
                    type="supplier",
                    file_name=name,
                    stream=stream,
                    by=by,
                    mapping=mappings[code],
                )
        elif job.state != "done":
            # Later than whoever was killed in the middle can have left a sign of life, so the job is nobody's.
            clock.at(days, 10)
        if job.state != "done":
            say(f"{system.title}: reading {name}")
            loading.run(job.pk)
            job.refresh_from_db()
        say(f"{system.title}: " + ", ".join(f"{count} {what}" for what, count in job.counts.items()))
    _parents(say)
    requests.decide_bank_changes()


def load_requests(say: Say) -> None:
    """What the demo's people asked for and decided since."""
    requests.tell(say)


def _parents(say: Say) -> None:
    """Parent companies as the Treasury names them: entered where the hub lacks them, then named by their children."""
    rows = json.loads((HERE / "extracts" / "parents.json").read_text())
    known = _by_duns()
    by, why = Actor.system("Demo set-up"), "Parents named in the Treasury's contract data."
    missing = {row["parent_duns"]: row["parent"] for row in rows if row["parent_duns"] not in known}
    new = [
        ProposedItem(
            type="supplier",
            action="create",
            patch={
                "legal_name": name,
                "group": "treasury",
                "identifiers": [{"scheme": "DUNS", "value": duns}],
            },
        )
        for duns, name in missing.items()
    ]
    if new:
        clock.at(18, 12)
        changes.propose(items=new, by=by, origin="system", title="Parent companies of Treasury vendors", reason=why)
    known = _by_duns()
    children = {
        known[row["child_duns"]]: known[row["parent_duns"]]
        for row in rows
        if row["child_duns"] in known and known[row["child_duns"]] != known.get(row["parent_duns"])
    }
    named = dict(Supplier._default_manager.filter(uid__in=children).values_list("uid", "parent"))
    items = [
        ProposedItem(type="supplier", uid=uid, patch={"parent": parent})
        for uid, parent in children.items()
        if named.get(UUID(uid)) is None
    ]
    if items:
        clock.at(18, 13)
        changes.propose(
            items=items,
            by=by,
            origin="system",
            title="Who belongs to whom among Treasury vendors",
            reason=why,
        )
    say(f"parent companies: {len(new)} entered, {len(items)} children name theirs")


def _by_duns() -> dict[str, str]:
    rows = Identifier._default_manager.filter(scheme="DUNS").values_list("value", "record__uid")
    return {duns: str(uid) for duns, uid in rows}
