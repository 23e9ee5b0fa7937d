"""The demo's suppliers: three extracts through the front door, then requests in every state a reviewer may meet."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

import yaml
from django.contrib.auth.models import User
from django.utils import timezone

from mdm import registry
from mdm.models import ChangeRequest, Crosswalk, DuplicatePair, ImportJob, System
from mdm.permissions import actor_of
from mdm.selectors import records
from mdm.services import changes, importing, judging, loading, merging
from mdm.services.changes import ProposedItem
from mdm.types import Actor, Document
from suppliers.models import Identifier, Supplier

Say = Callable[[str], None]
HERE = Path(__file__).parent
EXTRACTS = (
    ("s4hana", "s4hana_suppliers.csv"),
    ("coupa", "coupa_suppliers.xlsx"),
    ("concur", "concur_vendors.ndjson"),
)


def load_extracts(say: Say) -> None:
    """The three files, as a steward would load them; a file loaded before is skipped."""
    mappings = yaml.safe_load((HERE / "mappings.yaml").read_text())
    by = person("mara")
    for code, name in EXTRACTS:
        system = System.objects.get(code=code)
        job = ImportJob.objects.filter(system=system, file_name=name).exclude(state__in=("failed", "cancelled")).first()
        if job is None:
            with (HERE / "extracts" / name).open("rb") as stream:
                job = importing.receive(
                    system=system,
                    type="supplier",
                    file_name=name,
                    stream=stream,
                    by=by,
                    mapping=mappings[code],
                )
        if job.state != "done":
            say(f"{system.title}: reading {name}")
            loading.run(job.pk)
            job.refresh_from_db()
        say(f"{system.title}: " + ", ".join(f"{count} {what}" for what, count in job.counts.items()))
    _parents(say)


def person(username: str) -> Actor:
    return actor_of(User.objects.get(username=username))


def load_requests(say: Say) -> None:
    """Requests made and decided by the demo's people; each in its own state."""
    if ChangeRequest.objects.filter(origin="web").exists():
        say("the requests are there already")
        return
    chosen = _well_known(12)
    _decided(chosen)
    _waiting(chosen)
    _judged()
    states = ", ".join(
        f"{ChangeRequest.objects.filter(state=state).count()} {state.replace('_', ' ')}"
        for state in ("in_review", "returned", "scheduled", "conflicted", "applied", "rejected")
    )
    say(f"requests: {states}")


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


def _found(system: str, key: str) -> Document | None:
    row = Crosswalk.objects.filter(system__code=system, type="supplier", key=key).first()
    return records.current_document("supplier", row.uid) if row else None


def _well_known(count: int) -> list[Document]:
    """Invented suppliers that all three platforms hold and that have a bank account, in the order of their codes."""
    chosen = []
    for row in json.loads((HERE / "extracts" / "expected.json").read_text())["in_all_three"]:
        document = _found("s4hana", row["keys"]["s4hana"])
        if document and document["status"] == "active" and document["bank_accounts"]:
            chosen.append(document)
    have = {document["uid"] for document in chosen}
    model = registry.get("supplier").model
    more = model._default_manager.filter(group="nordhaven", status="active").exclude(uid__in=have).order_by("code")
    for uid in more.values_list("uid", flat=True)[:200]:
        if len(chosen) >= count:
            break
        document = records.current_document("supplier", uid)
        if document["bank_accounts"] and document["contacts"]:
            chosen.append(document)
    return chosen[:count]


def _update(
    document: Document, patch: Document, by: str, reason: str, effective_on: date | None = None
) -> ChangeRequest:
    item = ProposedItem(type="supplier", uid=document["uid"], patch=patch)
    return changes.propose(items=[item], by=person(by), reason=reason, effective_on=effective_on)


def _other(now: str | None, first: str, second: str) -> str:
    return second if now == first else first


def _approve(change: ChangeRequest, *usernames: str, comment: str = "") -> ChangeRequest:
    for username in usernames:
        change = changes.approve(change=change, by=person(username), content_hash=change.content_hash, comment=comment)
    return change


def _decided(chosen: list[Document]) -> None:
    """Applied, rejected and returned ones."""
    first, second, third, fourth = chosen[:4]
    _approve(
        _update(
            first,
            {"payment_terms": _other(first["payment_terms"], "NET45", "NET30")},
            "nora",
            "Frame contract 2026, section 7.",
        ),
        "mara",
    )
    # Concur counts days and knows no discount: this one waits there for a row in its value map.
    _approve(_update(third, {"payment_terms": "2N10NET30"}, "nora", "New discount terms from October on."), "mara")
    contact = [{"role": "accounts_receivable", "name": "Accounts receivable", "email": "ar@changed.example"}]
    _approve(_update(second, {"contacts": contact}, "nora", "New shared mailbox for invoices."), "mara")
    change = _update(first, {"website": "www.nordhaven-partner.example"}, "nora", "Their site moved.")
    _approve(change, "mara", comment="Checked on their letterhead.")
    change = _update(third, {"incoterm": _other(third["incoterm"], "DAP", "DDP")}, "nora", "As agreed by phone.")
    changes.reject(
        change=change,
        by=person("mara"),
        content_hash=change.content_hash,
        comment="There is no written agreement.",
    )
    change = _update(
        fourth,
        {"legal_form": _other(fourth["legal_form"], "GmbH", "AG")},
        "nora",
        "Legal form as in the register.",
    )
    changes.send_back(
        change=change,
        by=person("mara"),
        content_hash=change.content_hash,
        comment="Please add the register extract.",
    )


def _waiting(chosen: list[Document]) -> None:
    """In review, scheduled and conflicted ones; a bank change with its risks, a supplier that may exist already."""
    _, second, _, _, fifth, sixth, seventh, eighth, ninth = chosen[:9]
    account = [
        {
            "iban": "LT12 1000 0111 0100 1000",
            "holder": second["legal_name"],
            "country": "LT",
            "currency": "EUR",
        }
    ]
    _update(second, {"bank_accounts": account}, "nora", "Letter of the supplier: new account for all invoices.")
    held = [{"uid": fifth["bank_accounts"][0]["uid"], "verification": "verified"}]
    change = _update(fifth, {"bank_accounts": held}, "nora", "Called back on the number on file.")
    _approve(change, "diego", comment="Call-back protocol seen.")
    soon = timezone.localdate() + timedelta(days=9)
    _approve(
        _update(
            sixth,
            {"payment_terms": _other(sixth["payment_terms"], "NET60", "NET45")},
            "nora",
            "From next month on.",
            effective_on=soon,
        ),
        "mara",
    )
    change = _update(
        seventh,
        {"currency": _other(seventh["currency"], "USD", "SEK")},
        "nora",
        "Invoices come in dollars now.",
    )
    _approve(
        _update(
            seventh,
            {"currency": _other(seventh["currency"], "GBP", "PLN")},
            "ines",
            "Currency as in the purchasing system.",
        ),
        "mara",
    )
    _approve(change, "diego")  # meets the other change: conflicted
    blocked = ProposedItem(type="supplier", action="block", uid=eighth["uid"])
    changes.propose(items=[blocked], by=person("nora"), reason="They have not answered since March.")
    copy = {
        "legal_name": ninth["legal_name"].title(),
        "country": ninth["country"],
        "addresses": [{k: v for k, v in row.items() if k != "uid"} for row in ninth["addresses"][:1]],
        "group": ninth["group"],
    }
    create = ProposedItem(type="supplier", action="create", patch=copy)
    changes.propose(items=[create], by=person("nora"), reason="Needed for an order of this week.")
    _merge()


def _merge() -> None:
    """The likeliest open pair becomes a merge that waits for its approver."""
    pair = DuplicatePair.objects.filter(state="open").order_by("-probability").first()
    if pair:
        reason = "Same company, entered twice."
        kind = registry.get("supplier")
        merging.propose(kind=kind, survivor=str(pair.left), losers=[str(pair.right)], reason=reason, by=person("mara"))


def _judged() -> None:
    """A few judgements, so that the queue shows what was decided and why."""
    pairs = list(DuplicatePair.objects.filter(state="open").order_by("probability")[:6])
    for number, pair in enumerate(pairs):
        judgement, reason = ("different", "Two sites of one provider.") if number % 3 else ("unsure", "Ask the buyer.")
        judging.decide(pair=pair, judgement=judgement, reason=reason, by=person("mara"))
