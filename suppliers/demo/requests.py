"""Three weeks of the demo's people at work: requests of every kind and in every state, decided and waiting.

A deed is known by its reason and is done once: a story that was cut off is gone on with at the next start.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from mdm import ports, registry
from mdm.demo import clock
from mdm.models import ChangeRequest, Crosswalk, DuplicatePair, MatchDecision
from mdm.permissions import actor_of
from mdm.selectors import records
from mdm.services import changes, matching, merging
from mdm.services.changes import ProposedItem
from mdm.types import Actor, Document
from suppliers.models import Supplier

Say = Callable[[str], None]
HERE = Path(__file__).parent
DAYS = 14  # the daily work begins so many days ago, when the platforms are connected
LEFT_WAITING = 5  # of the bank changes that the loads asked for


def tell(say: Say) -> None:
    """Everything up to the day before the present; the last deeds are the judgements of pairs."""
    if MatchDecision.objects.exists():
        say("the requests are there already")
        return
    cast = _cast(9)
    routine = _routine({document["uid"] for document in cast})
    for day in range(DAYS, 0, -1):
        clock.at(day, 9)
        made = [deed() for deed in _few(routine, 1 + day * 5 % 3)]
        clock.at(day, 9 + day % 5, 20)
        for change in made:
            _approve(change, "mara" if day % 4 else "diego")
        _special(day, cast)
        for follow in ports.demo_effects:
            follow()
    _waiting(cast)
    _merge()
    _judged()
    states = ", ".join(
        f"{ChangeRequest.objects.filter(state=state).count()} {state.replace('_', ' ')}"
        for state in ("in_review", "returned", "scheduled", "conflicted", "applied", "rejected")
    )
    say(f"requests: {states}")


# --- who and what it is about ---------------------------------------------------------------------------------


def _person(username: str) -> Actor:
    return actor_of(User.objects.get(username=username))


def _cast(count: int) -> list[Document]:
    """Invented suppliers with a bank account and a contact, those that all three platforms hold first."""
    known = json.loads((HERE / "extracts" / "expected.json").read_text())["in_all_three"]
    keys = [row["keys"]["s4hana"] for row in known]
    first = Crosswalk.objects.filter(system__code="s4hana", type="supplier", key__in=keys).order_by("key")
    others = Supplier._default_manager.filter(group="nordhaven").order_by("code").values_list("uid", flat=True)
    chosen: list[Document] = []
    for uid in dict.fromkeys([*first.values_list("uid", flat=True), *others[:200]]):
        document = records.current_document("supplier", uid)
        if document["status"] == "active" and document["bank_accounts"] and document["contacts"]:
            chosen.append(document)
        if len(chosen) == count:
            break
    return chosen


def _routine(taken: set[str]) -> list[Callable[[], ChangeRequest]]:
    """Small changes as they come every day, each of another supplier that S/4HANA holds."""
    held = Crosswalk.objects.filter(system__code="s4hana", type="supplier", primary=True).values("uid")
    rows = Supplier._default_manager.filter(status="active", uid__in=held, group="nordhaven").exclude(uid__in=taken)
    kinds = cycle((_terms, _incoterm, _mailbox, _website))
    return [_deed(next(kinds), str(uid)) for uid in rows.order_by("code").values_list("uid", flat=True)[:60]]


def _few(listed: list[Any], count: int) -> list[Any]:
    return [listed.pop(0) for _ in range(min(count, len(listed)))]


def _deed(kind: Callable[[Document], tuple[Document, str]], uid: str) -> Callable[[], ChangeRequest]:
    def do() -> ChangeRequest:
        document = records.current_document("supplier", uid)
        patch, reason = kind(document)
        return _update(document, patch, "nora", f"{reason} ({document['code']})")

    return do


def _terms(document: Document) -> tuple[Document, str]:
    return {"payment_terms": _other(document["payment_terms"], "NET45", "NET30")}, "Terms of the new frame contract"


def _incoterm(document: Document) -> tuple[Document, str]:
    return {"incoterm": _other(document["incoterm"], "DAP", "DDP")}, "Delivery as agreed for next year"


def _mailbox(document: Document) -> tuple[Document, str]:
    name = f"invoices@{document['code'].lower()}.example"
    return {"contacts": [{"role": "accounts_receivable", "name": "Invoices", "email": name}]}, "Mailbox for invoices"


def _website(document: Document) -> tuple[Document, str]:
    return {"website": f"www.{document['code'].lower()}.example"}, "Their site moved"


# --- deeds ----------------------------------------------------------------------------------------------------


def _once(by: str, reason: str, item: ProposedItem, effective_on: date | None = None) -> ChangeRequest:
    done = ChangeRequest.objects.filter(requester__username=by, reason=reason).first()
    return done or changes.propose(items=[item], by=_person(by), reason=reason, effective_on=effective_on)


def _update(
    document: Document, patch: Document, by: str, reason: str, effective_on: date | None = None
) -> ChangeRequest:
    return _once(by, reason, ProposedItem(type="supplier", uid=document["uid"], patch=patch), effective_on)


def _other(now: str | None, first: str, second: str) -> str:
    return second if now == first else first


def _approve(change: ChangeRequest, *usernames: str, comment: str = "") -> None:
    for username in usernames:
        by = _person(username)
        change.refresh_from_db()
        if changes.why_not(change, "approve", by) is None:
            change = changes.approve(change=change, by=by, content_hash=change.content_hash, comment=comment)


def _turn_down(change: ChangeRequest, decide: Callable[..., ChangeRequest], by: str, comment: str) -> None:
    if change.state == "in_review":
        decide(change=change, by=_person(by), content_hash=change.content_hash, comment=comment)


def decide_bank_changes() -> None:
    """What the loads could not do by themselves: two people look at each changed account, before anything is sent."""
    if ChangeRequest.objects.filter(origin="web").exists():
        return  # the story is beyond that; what waits now was asked for by loads of whoever uses the demo
    asked = list(ChangeRequest.objects.filter(origin="survivorship", state="in_review").order_by("pk"))[:-LEFT_WAITING]
    half = len(asked) // 2
    for day, share in ((17, asked[:half]), (16, asked[half:])):
        for number, change in enumerate(share):
            clock.at(day, 11, number)
            if number % 9 == 4:
                _turn_down(change, changes.reject, "diego", "The account is not on their letterhead.")
            else:
                _approve(change, "diego")
        for number, change in enumerate(share):
            clock.at(day, 15, number)
            _approve(change, "tomasz", comment="Called back on the number on file.")


def _special(day: int, cast: list[Document]) -> None:
    """The deeds that the pages of the demo show best."""
    first, second, third, fourth = cast[:4]
    if day == 12:
        patch = {"payment_terms": _other(first["payment_terms"], "NET45", "NET30")}
        _approve(_update(first, patch, "nora", "Frame contract 2026, section 7."), "mara")
    elif day == 9:
        # Concur counts days and knows no discount: this one waits there for a row in its value map.
        _approve(_update(third, {"payment_terms": "2N10NET30"}, "nora", "New discount terms from October on."), "mara")
    elif day == 8:
        contact = [{"role": "accounts_receivable", "name": "Accounts receivable", "email": "ar@changed.example"}]
        _approve(_update(second, {"contacts": contact}, "nora", "New shared mailbox for invoices."), "mara")
    elif day == 6:
        change = _update(first, {"website": "www.nordhaven-partner.example"}, "nora", "Their site moved.")
        _approve(change, "mara", comment="Checked on their letterhead.")
    elif day == 5:
        patch = {"incoterm": _other(third["incoterm"], "DAP", "DDP")}
        change = _update(third, patch, "nora", "As agreed by phone.")
        _turn_down(change, changes.reject, "mara", "There is no written agreement.")
    elif day == 3:
        patch = {"legal_form": _other(fourth["legal_form"], "GmbH", "AG")}
        change = _update(fourth, patch, "nora", "Legal form as in the register.")
        _turn_down(change, changes.send_back, "mara", "Please add the register extract.")
    elif day == 2:
        _conflict(cast[6])


def _conflict(document: Document) -> None:
    """Two people change one field; the second approval meets the first one's change."""
    patch = {"currency": _other(document["currency"], "USD", "SEK")}
    change = _update(document, patch, "nora", "Invoices come in dollars now.")
    patch = {"currency": _other(document["currency"], "GBP", "PLN")}
    _approve(_update(document, patch, "ines", "Currency as in the purchasing system."), "mara")
    _approve(change, "diego")


def _waiting(cast: list[Document]) -> None:
    """What waits today: a bank change with its risks, one half approved, one for a later day, one that may exist already."""
    _, second, _, _, fifth, sixth, _, eighth, ninth = cast[:9]
    clock.at(1, 15)
    account = [{"iban": "LT12 1000 0111 0100 1000", "holder": second["legal_name"], "country": "LT", "currency": "EUR"}]
    _update(second, {"bank_accounts": account}, "nora", "Letter of the supplier: new account for all invoices.")
    held = [{"uid": fifth["bank_accounts"][0]["uid"], "verification": "verified"}]
    change = _update(fifth, {"bank_accounts": held}, "nora", "Called back on the number on file.")
    _approve(change, "diego", comment="Call-back protocol seen.")
    soon = timezone.localdate() + timedelta(days=10)
    patch = {"payment_terms": _other(sixth["payment_terms"], "NET60", "NET45")}
    _approve(_update(sixth, patch, "nora", "From next month on.", effective_on=soon), "mara")
    clock.at(1, 16)
    blocked = ProposedItem(type="supplier", action="block", uid=eighth["uid"])
    _once("nora", "They have not answered since March.", blocked)
    copy = {
        "legal_name": ninth["legal_name"].title(),
        "country": ninth["country"],
        "addresses": [{k: v for k, v in row.items() if k != "uid"} for row in ninth["addresses"][:1]],
        "group": ninth["group"],
    }
    _once("nora", "Needed for an order of this week.", ProposedItem(type="supplier", action="create", patch=copy))


def _merge() -> None:
    """The likeliest open pair becomes a merge that waits for its approver."""
    clock.at(1, 17)
    pair = DuplicatePair.objects.filter(state="open").order_by("-probability").first()
    if pair and not ChangeRequest.objects.filter(origin="merge").exists():
        reason = "Same company, entered twice."
        kind = registry.get("supplier")
        by = _person("mara")
        merging.propose(kind=kind, survivor=str(pair.left), losers=[str(pair.right)], reason=reason, by=by)


def _judged() -> None:
    """A few judgements, so that the queue shows what was decided and why."""
    pairs = list(DuplicatePair.objects.filter(state="open").order_by("probability")[:6])
    for number, pair in enumerate(pairs):
        judgement, reason = ("different", "Two sites of one provider.") if number % 3 else ("unsure", "Ask the buyer.")
        matching.decide(pair=pair, judgement=judgement, reason=reason, by=_person("mara"))
