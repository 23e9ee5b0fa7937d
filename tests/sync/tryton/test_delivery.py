"""Golden records through the delivery engine into the real Tryton, changed, pushed again, and compared."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from stdnum.iso7064 import mod_11_10, mod_97_10

from mdm.models import Crosswalk
from mdm.selectors.records import current_document
from mdm.services import changes
from mdm.services.changes import ProposedItem
from sync.models import (
    Attempt,
    AttemptResult,
    Delivery,
    DriftFinding,
    DriftRun,
    ExceptionItem,
    Lane,
    Subscription,
    Target,
)
from sync.sandbox import serving
from sync.services import drift, jobs
from tests.fixtures_processes import new_child
from tests.people import actor
from tests.sync import world
from tests.sync.tryton.proxy import TrytonProxy
from tests.sync.tryton.server import Tryton
from tests.sync.world import ROBOT, Side

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).parents[3]
MANY, LOAD = 500, 100
TIMEOUT_S = 120  # a hundred parties in one request take a busy machine more than half a minute


@dataclass
class Erp:
    """Tryton as a target of the hub, through the proxy; `ask` goes to Tryton directly."""

    target: Target
    proxy: TrytonProxy
    side: Side

    def ask(self, model: str, domain: list[Any], fields: list[str]) -> list[dict[str, Any]]:
        return self.proxy.api.search_read(model, domain, fields)

    def party(self, key: str) -> dict[str, Any]:
        fields = [
            "code",
            "name",
            "active",
            "identifiers.code",
            "bank_accounts",
            "supplier_payment_term.name",
            "_timestamp",
        ]
        (found,) = self.ask("party.party", [["code", "=", key]], fields)
        return found

    def change(self, key: str, **values: Any) -> None:
        """Somebody at Tryton changes the party."""
        self.proxy.api.write("party.party", int(self.party(key)["id"]), values, {})


@pytest.fixture
def erp(tryton: Tryton, tmp_path: Path) -> Iterator[Erp]:
    proxy = TrytonProxy(tryton, tmp_path / "proxy.sqlite")
    with serving(proxy) as running:
        world.allow_everything()
        target = world.target("tryton", running.url, timeout_s=TIMEOUT_S, max_inflight_s=2, concurrency=4)
        yield Erp(target, proxy, Side(running.control))


def look(target: Target) -> DriftRun:
    run = drift.run(drift.request(target, by=ROBOT).uid)
    assert run.state == "done", run.error
    return run


def findings() -> list[tuple[str, str, str]]:
    return list(DriftFinding.objects.filter(state="open").order_by("pk").values_list("kind", "field", "cause"))


def the_key() -> str:
    return Crosswalk.objects.get(type="supplier").key


def vat(number: int) -> str:
    digits = f"{20_000_000 + number}"
    return f"DE{digits}{mod_11_10.calc_check_digit(digits)}"


def iban(number: int) -> str:
    account = f"37040044{number:010}"
    return f"DE{mod_97_10.calc_check_digits(account + 'DE')}{account}"


def numbered(number: int) -> dict[str, Any]:
    place = {"city": f"Ort {number % 50}", "postal_code": f"{10000 + number}", "country": "DE"}
    return {
        "code": f"S-{number:06}",
        "legal_name": f"Lieferwerk {number:04} GmbH",
        "country": "DE",
        "currency": "EUR",
        "payment_terms": "NET30",
        "addresses": [{"kind": "registered", "lines": [f"Werkstrasse {number}"], **place}],
        "contacts": [
            {"role": "accounts_receivable", "name": "Erika Beispiel", "email": f"ar{number}@lieferwerk.example"}
        ],
        "tax_registrations": [{"country": "DE", "scheme": "VAT", "number": vat(number)}],
        "bank_accounts": [
            {"iban": iban(number), "country": "DE", "currency": "EUR", "holder": f"Lieferwerk {number:04}"}
        ],
    }


def propose(items: list[ProposedItem]) -> list[str]:
    change = changes.propose(items=items, by=ROBOT, origin="system", reason="test")
    assert change.state == "applied", change.state
    return [str(uid) for uid in change.items.order_by("pk").values_list("uid", flat=True)]


def test_five_hundred_suppliers_there_changed_and_clean(erp: Erp) -> None:
    made = [ProposedItem(type="supplier", action="create", patch=numbered(number)) for number in range(MANY)]
    uids = [uid for start in range(0, MANY, 100) for uid in propose(made[start : start + 100])]
    assert world.send_until_settled(600) == {"posted": MANY}
    assert set(Delivery.objects.values_list("effect", "verified")) == {("created", True)}
    held = {party["code"]: party for party in erp.ask("party.party", [], ["code", "name", "identifiers.code"])}
    assert (
        set(held)
        == {f"S-{number:06}" for number in range(MANY)}
        == set(Crosswalk.objects.values_list("key", flat=True))
    )
    assert vat(7) in {item["code"] for item in held["S-000007"]["identifiers."]}
    numbers = erp.ask("bank.account.number", [["type", "=", "iban"]], ["number_compact"])
    assert {item["number_compact"] for item in numbers} == {iban(number) for number in range(MANY)}
    first = look(erp.target)
    assert (first.counts["scanned"], findings()) == (MANY, [])

    changed = [
        ProposedItem(type="supplier", action="update", uid=uid, patch={"legal_name": name, "payment_terms": "NET60"})
        for uid, name in ((uid, f"Lieferwerk {number:04} SE") for number, uid in enumerate(uids))
    ]
    for start in range(0, MANY, 100):
        propose(changed[start : start + 100])
    assert world.send_until_settled(600) == {"posted": MANY}
    fields = ["code", "name", "supplier_payment_term.name"]
    held = {party["code"]: party for party in erp.ask("party.party", [], fields)}
    assert {party["supplier_payment_term."]["name"] for party in held.values()} == {"Net 60 days"}
    assert held["S-000042"]["name"] == "Lieferwerk 0042 SE"
    effects = Counter((effect["key"], effect["kind"]) for effect in erp.side.effects())
    assert set(effects.values()) == {1} and len(effects) == 2 * MANY, "one creation and one change each"
    assert (look(erp.target).counts["scanned"], findings()) == (MANY, [])


@pytest.mark.parametrize("lost", ["", "reset_after"])
def test_a_first_load_of_a_hundred_is_one_request_and_clean(erp: Erp, lost: str) -> None:
    """Also when its answer is lost: each is then found by itself."""
    Subscription.objects.update(from_seq=10**9)
    propose([ProposedItem(type="supplier", action="create", patch=numbered(number)) for number in range(LOAD)])
    world.dispatch_now()
    jobs.ask_for_records(erp.target, by=actor("samir", "operator"))
    if lost:
        erp.side.fault(lost, "party.party.create")
    world.send_until_settled(300)
    assert set(Delivery.objects.values_list("state", "effect", "verified", "attempts")) == {
        ("posted", "created", True, 1)
    }
    if not lost:
        assert set(AttemptResult.objects.values_list("message", flat=True)) == {"Made in one request with 99 others."}
    effects = erp.side.effects()
    assert [effect["kind"] for effect in effects] == ["created"] * LOAD and len({e["key"] for e in effects}) == LOAD
    assert Crosswalk.objects.filter(type="supplier").count() == LOAD
    assert (look(erp.target).counts["scanned"], findings()) == (LOAD, [])


def test_a_tax_number_tryton_refuses_becomes_an_exception_in_its_words_and_is_corrected(erp: Erp) -> None:
    wrong = [{"country": "DE", "scheme": "VAT", "number": "DE136695977"}]
    uid = world.supplier(tax_registrations=wrong)
    assert world.send_now() == {"rejected": 1}
    item = ExceptionItem.objects.get()
    assert item.words.startswith('The European VAT Number "DE136695977"') and "is not valid" in item.words
    assert (item.problems[0]["field"], item.kind) == ("identifiers.code", "refused")
    assert not erp.side.records()
    (child,) = current_document("supplier", uid)["tax_registrations"]
    right = [{"uid": child["uid"], "country": "DE", "scheme": "VAT", "number": "DE136695976"}]
    world.propose("supplier", {"tax_registrations": right}, uid=uid)
    assert world.send_now() == {"posted": 1}
    item.refresh_from_db()
    assert item.state == "corrected" and len(erp.side.records()) == 1


def test_an_iban_tryton_refuses_is_masked_in_its_words(erp: Erp) -> None:
    """The hub does not let a wrong one in, so Tryton is made to see another than the hub sent."""

    def spoil(body: dict[str, Any]) -> None:
        body["params"][0][0]["bank_accounts"][0][1][0]["numbers"][0][1][0]["number"] = "DE88370400440532013000"

    erp.proxy.on_write = spoil
    world.supplier(bank_accounts=[{"iban": "DE89370400440532013000", "country": "DE"}])
    assert world.send_now() == {"rejected": 1}
    item = ExceptionItem.objects.get()
    assert item.words.startswith("IBAN") and "0532" not in item.words


def test_somebody_changes_the_party_between_our_reading_and_our_writing(erp: Erp) -> None:
    """Tryton answers ConcurrencyException, nothing is overwritten unseen, and the next try is right."""
    uid = world.supplier()
    world.send_now()
    key = the_key()
    erp.proxy.on_write = lambda body: erp.change(key, name="Changed by an accountant")
    world.propose("supplier", {"payment_terms": "NET60"}, uid=uid)
    assert world.send_now() == {"retrying": 1}
    assert Attempt.objects.latest("pk").result.outcome == "stale"
    assert erp.party(key)["name"] == "Changed by an accountant"
    assert erp.party(key)["supplier_payment_term."]["name"] == "Net 30 days"
    assert world.send_until_settled()["posted"] == 1
    assert erp.party(key)["supplier_payment_term."]["name"] == "Net 60 days"
    assert erp.party(key)["name"] == world.SUPPLIER["legal_name"]


def test_a_party_archived_at_tryton_is_seen_and_brought_back(erp: Erp) -> None:
    world.supplier()
    world.send_now()
    key = the_key()
    erp.change(key, active=False)
    look(erp.target)
    assert findings() == [("different", "active", "changed_in_target")]
    world.propose(
        "supplier", {"legal_name": "Nordlicht Papier SE"}, uid=str(Crosswalk.objects.get(type="supplier").uid)
    )
    assert world.send_now() == {"posted": 1}
    party = erp.party(key)
    assert (party["active"], party["name"]) == (True, "Nordlicht Papier SE")
    look(erp.target)
    assert findings() == [] and len(erp.side.records()) == 1


def test_a_blocked_supplier_is_archived_and_archived_ones_are_no_drift(erp: Erp) -> None:
    uid = world.supplier()
    world.send_now()
    world.propose("supplier", {}, uid=uid, action="block")
    assert world.send_now() == {"posted": 1}
    assert erp.party(the_key())["active"] is False
    assert look(erp.target).counts["scanned"] == 1 and findings() == []


def test_two_suppliers_of_one_iban_share_the_account(erp: Erp) -> None:
    """Tryton keeps an active IBAN once: the second supplier becomes an owner of the account that is there."""
    bank = [{"iban": "DE89370400440532013000", "country": "DE", "currency": "EUR"}]
    world.supplier(bank_accounts=bank)
    world.send_now()
    world.supplier(legal_name="Nordlicht Logistik GmbH", tax_registrations=[], bank_accounts=bank)
    assert world.send_now() == {"posted": 1}
    (account,) = erp.ask("bank.account", [], ["owners"])
    assert len(account["owners"]) == 2
    assert look(erp.target).counts["scanned"] == 2 and findings() == []


def test_a_code_that_somebody_else_has_at_tryton_is_left_alone(erp: Erp) -> None:
    other = erp.proxy.api.create("party.party", {"code": "S-777777", "name": "Ganz Anders AG", "addresses": []})
    world.supplier(code="S-777777")
    assert world.send_now() == {"rejected": 1}
    item = ExceptionItem.objects.get()
    assert item.problems[0]["code"] == "maybe_there_already" and "Ganz Anders AG" in item.words
    (party,) = erp.ask("party.party", [], ["name"])
    assert (party["id"], party["name"]) == (other, "Ganz Anders AG")


def test_an_error_inside_tryton_is_told_once_and_not_tried_for_ever(erp: Erp) -> None:
    """A field this Tryton does not know: the same request would fail the same way each time."""

    def spoil(body: dict[str, Any]) -> None:
        body["params"][0][0]["field_of_another_version"] = 1

    erp.proxy.on_write = spoil
    world.supplier()
    assert world.send_now() == {"rejected": 1}
    item = ExceptionItem.objects.get()
    assert "field_of_another_version" in item.words and item.problems[0]["code"] == "server_error"
    assert Delivery.objects.get().attempts == 1 and not world.send_now() and not erp.side.records()


@pytest.mark.parametrize("point", ["intent", "sent"])
def test_a_worker_killed_around_the_request_makes_no_second_party(erp: Erp, point: str) -> None:
    Target.objects.update(timeout_s=10)  # the lease of a killed worker is a multiple of it
    world.supplier(bank_accounts=[{"iban": "DE89370400440532013000", "country": "DE"}])
    world.dispatch_now()
    environment = new_child(f"tryton-victim-{point}", []).environment
    command = [sys.executable, "-m", "tests.sync.worker", point]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        while "stopped" not in (line := process.stdout.readline()):
            assert line, "the worker ended by itself"
    finally:
        process.kill()
        process.wait()
    assert Delivery.objects.get().state == "unknown"
    assert len(erp.side.effects()) == (1 if point == "sent" else 0)
    world.send_until_settled(60)
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.verified) == ("posted", True)
    assert len(erp.ask("party.party", [], ["code"])) == len(erp.side.effects()) == 1
    assert len(erp.ask("bank.account", [], ["owners"])) == 1


@pytest.mark.parametrize("fault", ["timeout_after", "reset_after", "garbage"])
def test_applied_by_tryton_but_the_answer_was_lost(erp: Erp, fault: str) -> None:
    Target.objects.update(timeout_s=10)
    world.supplier()
    erp.side.fault(fault, r"^POST .*party\.create")
    assert world.send_now() == {"unknown": 1}
    assert Lane.objects.get().ambiguous_until is not None
    world.send_until_settled(60)
    assert Delivery.objects.get().state == "posted"
    assert len(erp.ask("party.party", [], ["code"])) == len(erp.side.effects()) == 1


def test_payment_terms_and_companies_too(erp: Erp) -> None:
    """A term that Tryton brings along is found by name; a company is a party and its currency."""
    before = len(erp.ask("account.invoice.payment_term", [], ["name"]))
    for type in ("payment_term", "legal_entity"):
        Subscription.objects.create(target=erp.target, type=type)
    uid = world.propose("payment_term", {"code": "NET75", "name": "75 days net", "net_days": 75})
    world.propose("payment_term", {"code": "NET10", "name": "10 days net", "net_days": 10})
    entity = {
        "code": "NH10",
        "name": "Nordhaven Deutschland GmbH",
        "country": "DE",
        "currency": "EUR",
        "city": "Bremen",
    }
    company = world.propose("legal_entity", {**entity, "vat_id": "DE136695976"})
    assert world.send_until_settled(60)["posted"] >= 3
    assert not ExceptionItem.objects.exists()
    terms = erp.ask("account.invoice.payment_term", [], ["name", "lines.relativedeltas.days"])
    assert len(terms) == before + 1
    (made,) = [term for term in terms if term["name"] == "NET75"]
    assert made["lines."][0]["relativedeltas."][0]["days"] == 75
    (held,) = erp.ask("company.company", [], ["party.name", "party.code", "currency.code"])
    assert (held["party."]["name"], held["party."]["code"], held["currency."]["code"]) == (
        entity["name"],
        "NH10",
        "EUR",
    )

    world.propose("payment_term", {"net_days": 80, "from_end_of_month": True}, uid=uid)
    world.propose(
        "legal_entity", {"name": "Nordhaven Deutschland SE", "city": "Hamburg", "currency": "USD"}, uid=company
    )
    assert world.send_until_settled(60) == {"posted": 2}
    (made,) = erp.ask(
        "account.invoice.payment_term",
        [["name", "=", "NET75"]],
        ["lines.relativedeltas.days", "lines.relativedeltas.day"],
    )
    assert [(delta["days"], delta["day"]) for line in made["lines."] for delta in line["relativedeltas."]] == [(80, 31)]
    (held,) = erp.ask("company.company", [], ["party.name", "currency.code"])
    assert (held["party."]["name"], held["currency."]["code"]) == ("Nordhaven Deutschland SE", "USD")
    run = look(erp.target)
    assert [found for found in findings() if found[0] != "extra"] == [] and run.state == "done"
