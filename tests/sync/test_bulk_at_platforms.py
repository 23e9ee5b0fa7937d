"""First loads in one request at Concur and Dynamics 365, which answer for each record, and at Tryton, which makes all or none."""

from __future__ import annotations

from bisect import bisect
from collections import Counter
from datetime import datetime

import pytest
import redis
from django.conf import settings
from django.db.models.functions import Now
from django.utils import timezone

from mdm.models import Crosswalk
from sync.models import (
    Attempt,
    AttemptResult,
    Delivery,
    ExceptionItem,
    Lane,
    Subscription,
    Target,
)
from sync.models.delivery import IN_PART
from sync.services import job_work
from tests.sync import gate, world
from tests.sync.loads import MANY, created, load, made, states, suppliers, together
from tests.sync.sandboxes import WRITES
from tests.sync.world import Side

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=["concur", "dynamics365", "tryton"])
def platform(request, sandbox):
    """The target leads through a gate that counts what comes."""
    started = sandbox(request.param)
    world.allow_everything()
    with gate.before(started.url) as door:
        yield world.target(request.param, door.url), Side(started.control), door


def creations(side: Side, door: gate.Gate) -> int:
    """Requests that made something: each record was made by the last one that had come by then."""
    came = sorted(at for at, *_ in door.came)
    made = [datetime.fromisoformat(effect["at"]) for effect in side.effects() if effect["kind"] == "created"]
    return len({bisect(came, at.timestamp()) for at in made})


def test_a_first_load_goes_together(platform):
    target, side, door = platform
    uids = suppliers()
    job = load(target)
    assert world.send_until_settled() == {"posted": MANY}
    assert creations(side, door) == 1 and sorted(created(side)) == sorted(side.records())
    for delivery in Delivery.objects.all():
        assert (delivery.effect, delivery.verified, delivery.attempts, delivery.error_text) == ("created", True, 1, "")
        result = delivery.attempt_rows.get().result
        assert (result.outcome, result.message) == ("created", "Made in one request with 4 others.")
        shown = str(result.exchanges)
        own = delivery.label.split(" ", 1)[1]
        assert own in shown, "each attempt keeps its own part of what was said"
        assert not any(f"Viele {n} GmbH" in shown for n in range(MANY) if f"Viele {n} GmbH" != own)
    links = {str(link.uid): link.key for link in Crosswalk.objects.all()}
    assert set(links) == set(uids) and set(links.values()) == set(side.records())
    assert not Lane.objects.filter(open=True).exists() and not Lane.objects.exclude(lease_owner=None).exists()
    job_work.go_on()
    job.refresh_from_db()
    assert (job.state, job.counts) == ("done", {"posted": MANY})
    load(target)
    assert world.send_until_settled() == {"posted": MANY}, "a second load writes nothing"
    assert set(Delivery.objects.filter(seq=2).values_list("effect", flat=True)) == {"unchanged"}
    assert len(side.effects()) == MANY


def test_only_push_jobs_go_together(platform):
    """What was approved today is sent as it comes."""
    _, side, _ = platform
    for number in range(3):
        made(f"Heute {number} GmbH")
    assert world.send_until_settled() == {"posted": 3}
    assert all(not row.message for row in AttemptResult.objects.all())


def test_every_request_has_its_token(platform):
    target, side, door = platform
    suppliers()
    Target.objects.update(rate_per_s=0.001, burst=500)
    target.refresh_from_db()
    redis.Redis.from_url(settings.REDIS_URL).delete(f"mdm:rate:{target.code}")
    jobs_before = len(door.came)
    Target.objects.update(rate_per_s=10)
    load(Target.objects.get())
    Target.objects.update(rate_per_s=0.001)
    together()
    assert states() == {"posted": MANY}
    left = float(redis.Redis.from_url(settings.REDIS_URL).hget(f"mdm:rate:{target.code}", "tokens") or 0)
    assert 500 - left == pytest.approx(len(door.came) - jobs_before, abs=0.1)


def test_without_a_token_everything_is_given_back(platform):
    target, side, door = platform
    suppliers()
    load(target)
    Target.objects.update(rate_per_s=0.001, burst=1)
    redis.Redis.from_url(settings.REDIS_URL).delete(f"mdm:rate:{target.code}")
    assert set(together()) == {"no_token"}
    assert states() == {"pending": MANY} and not side.effects()
    assert not Lane.objects.exclude(lease_owner=None).exists()
    assert set(Delivery.objects.values_list("attempts", "error_code")) == {(0, "")}


def test_one_that_is_there_already_is_tied_and_not_doubled(platform):
    target, side, _ = platform
    uids = suppliers()
    world.send_now()
    Subscription.objects.update(from_seq=0)
    world.propose("supplier", {"website": "https://eins.example"}, uid=uids[2])
    assert world.send_until_settled()["posted"] == 1
    Crosswalk.objects.all().delete()
    Lane.objects.update(target_key="")
    Subscription.objects.update(from_seq=10**9)
    load(target)
    world.send_until_settled()
    assert set(states()) == {"posted"} and len(created(side)) == len(side.records()) == MANY
    assert Crosswalk.objects.count() == MANY


def test_one_without_a_counterpart_holds_nobody_up(platform):
    target, side, door = platform
    world.propose("payment_term", {"code": "NET37", "name": "Odd", "net_days": 37})
    uids = suppliers()
    world.propose("supplier", {"payment_terms": "NET37"}, uid=uids[1])
    load(target)
    assert world.send_until_settled() == {"posted": MANY - 1, "rejected": 1}
    assert str(ExceptionItem.objects.get().record) == uids[1]  # by the value map, or by a look at the platform
    assert len(created(side)) == MANY - 1 and creations(side, door) == 1


@pytest.mark.parametrize("fault", ["timeout_after", "reset_after", "garbage"])
def test_the_answer_was_lost_after_it_was_applied(platform, fault):
    """Each is in doubt, each is read back by itself, and the request counts as one failure."""
    target, side, _ = platform
    suppliers()
    load(target)
    side.fault(fault, WRITES)
    assert together() == {"unknown": MANY}
    assert AttemptResult.objects.filter(technical_failure=True).count() == 1
    assert not Lane.objects.filter(ambiguous_until=None).exists()
    world.send_until_settled()
    assert states() == {"posted": MANY} and set(Delivery.objects.values_list("verified", "attempts")) == {(True, 1)}
    assert len(created(side)) == len(side.records()) == len(side.effects()) == MANY
    assert Counter(Attempt.objects.values_list("kind", flat=True)) == {"send": MANY, "read_back": MANY}
    assert Target.objects.get().breaker == "closed"


@pytest.mark.parametrize("fault", ["timeout_before", "reset_before", "500", "redirect"])
def test_the_answer_was_lost_and_nothing_was_applied(platform, fault):
    """Sent again when the lost request cannot arrive any more, and one by one."""
    target, side, _ = platform
    Target.objects.update(max_inflight_s=1)
    suppliers()
    load(target)
    side.fault(fault, WRITES)
    assert together() == {"unknown": MANY}
    ends = dict(Lane.objects.values_list("pk", "ambiguous_until"))
    world.send_until_settled(40)
    assert states() == {"posted": MANY} and len(created(side)) == len(side.effects()) == MANY
    second = Attempt.objects.filter(kind="send", number=2).select_related("delivery")
    assert len(second) == MANY and all(row.started_at >= ends[row.delivery.lane_id] for row in second)


@pytest.mark.parametrize("fault", ["429", "503"])
def test_throttled_all_of_them_wait_and_go_together_again(platform, fault):
    target, side, door = platform
    suppliers()
    load(target)
    side.fault(fault, WRITES)
    assert together() == {"pending": MANY}
    assert set(Delivery.objects.values_list("attempts", "error_code", "effect")) == {(0, "throttled", "")}
    assert Target.objects.get().not_before > timezone.now() and not world.send_now()
    Target.objects.update(not_before=None)
    Lane.objects.update(next_at=Now())
    assert together() == {"posted": MANY}
    assert creations(side, door) == 1 and len(created(side)) == MANY


def test_signed_out_the_breaker_opens_and_nothing_is_burnt(platform):
    target, side, _ = platform
    suppliers()
    load(target)
    side.fault("unauthorised", "", 50)
    together()
    assert Target.objects.get().breaker == "open" and not side.effects()
    assert set(Delivery.objects.values_list("state", "attempts")) == {("pending", 0)}


def test_a_target_that_is_down_is_asked_by_one_of_them(platform):
    """Not by each, one time-out after the other."""
    target, side, door = platform
    suppliers()
    load(target)
    Target.objects.update(base_url="http://127.0.0.1:9", concurrency=1, retry_scale=100)
    together()
    assert AttemptResult.objects.count() == 1 and states() == {"pending": MANY - 1, "retrying": 1}


# --- particular to one of them ----------------------------------------------------------------------------------------


@pytest.fixture
def tryton(sandbox):
    started = sandbox("tryton")
    world.allow_everything()
    return world.target("tryton", started.url), Side(started.control)


@pytest.fixture
def concur(sandbox):
    started = sandbox("concur")
    world.allow_everything()
    with gate.before(started.url) as door:
        yield world.target("concur", door.url), Side(started.control), door


def test_where_one_takes_all_along_each_goes_alone(tryton):
    target, side = tryton
    uids = suppliers()
    wrong = {"tax_registrations": [{"country": "DE", "scheme": "VAT", "number": "DE129273399"}]}
    Delivery.objects.all().delete()
    world.propose("supplier", wrong, uid=uids[3])
    load(target)
    assert together()["pending"] == MANY
    assert set(Delivery.objects.values_list("state", "attempts", "error_code")) == {("pending", 0, "separately")}
    assert not side.effects()
    Lane.objects.update(next_at=Now())
    world.send_until_settled()
    assert states() == {"posted": MANY - 1, "rejected": 1} and "not valid" in ExceptionItem.objects.get().words
    assert str(ExceptionItem.objects.get().record) == uids[3]
    assert len(created(side)) == MANY - 1


def test_where_each_is_answered_one_is_refused_alone(concur):
    target, side, door = concur
    uids = suppliers()
    kyiv = [{"kind": "registered", "lines": ["Kai 1"], "city": "Kyiv", "postal_code": "01001", "country": "UA"}]
    uids.append(world.supplier(legal_name="Ohne Region", country="UA", addresses=kyiv, tax_registrations=[]))
    load(target)
    assert together() == {"posted": MANY, "rejected": 1}
    item = ExceptionItem.objects.get()
    assert str(item.record) == uids[-1] and "State is required" in item.words and creations(side, door) == 1
    result = Attempt.objects.get(delivery=item.delivery).result
    assert (result.outcome, result.status) == ("refused", 200) and "Viele" not in str(result.exchanges)


ACCOUNT = {"account_number": "0099887766", "bank_code": "37040044", "holder": "X", "country": "DE", "currency": "EUR"}


@pytest.mark.parametrize("fault, state", [("refuse", "rejected"), ("429", "unknown"), ("timeout_after", "unknown")])
def test_accounts_are_a_second_request_of_those_that_have_some(concur, fault, state):
    """Made in part, by the same rules as a single push of two requests."""
    target, side, door = concur
    suppliers(3)
    accounts = [[{**ACCOUNT, "account_number": f"00998877{n}"}] for n in range(2)]
    with_accounts = [
        world.supplier(legal_name=f"Konto {n} GmbH", tax_registrations=[], bank_accounts=own)
        for n, own in enumerate(accounts)
    ]
    load(target)
    side.fault(fault, "PUT .*banks")
    assert together() == {"posted": 3, state: 2}
    rows = Delivery.objects.filter(record__in=with_accounts)
    assert set(rows.values_list("state", flat=True)) == {state} and creations(side, door) == 1
    assert set(rows.values_list("effect", flat=True)) == {"" if fault == "timeout_after" else IN_PART}
    for row in rows:
        shown = str(row.attempt_rows.get().result.exchanges)
        assert "00998877" not in shown and shown.count("Konto") == shown.count(row.label.split(" ", 1)[1])
    if state == "rejected":
        assert set(Crosswalk.objects.filter(uid__in=with_accounts).values_list("key", flat=True)) <= set(side.records())
        assert Crosswalk.objects.count() == 5
        return
    Target.objects.update(not_before=None)
    world.send_until_settled()
    assert states() == {"posted": 5} and len(created(side)) == 5
    held = [row for row in side.records().values() if str(row["VendorName"]).startswith("Konto")]
    assert all(any(name.endswith("AccountNumber") and value for name, value in row.items()) for row in held)


def test_accounts_that_went_with_the_others(concur):
    target, side, _ = concur
    suppliers(3, bank_accounts=[ACCOUNT])
    load(target)
    assert together() == {"posted": 3}
    assert [effect["kind"] for effect in side.effects()] == ["created"] * 3 + ["updated"] * 3
    for result in AttemptResult.objects.all():
        assert [said["method"] for said in result.exchanges if said["method"] != "GET"][-2:] == ["POST", "PUT"]
        assert "0099887766" not in str(result.exchanges)
