"""Push jobs over REST: scopes, plans row by row, four eyes, levers; every answer as documented."""

from __future__ import annotations

import pytest

from sync.models import Delivery, PushJob, Subscription
from sync.models.job import LIMIT
from sync.services import planning
from tests.api.callers import caller
from tests.sync import world
from tests.sync.test_push_jobs import die, suppliers

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def silent():
    world.allow_everything()
    return world.target("coupa", "http://127.0.0.1:9")


@pytest.fixture
def operator(transactional_db):
    return caller("operator")


def test_reading_and_operating_need_their_scopes(silent, operator):
    die(suppliers(1))
    (job,) = operator.post_json("deliveries/replay/", {"filter": {"target": "coupa"}, "dry_run": False}).json()["jobs"]
    auditor, stranger = caller("auditor"), caller("requester")
    for path in ("push-jobs/", f"push-jobs/{job['uid']}/", f"push-jobs/{job['uid']}/rows/"):
        assert auditor.read(path).status_code == 200 and stranger.read(path).status_code == 403
    bodies = {"approve": {"content_hash": "x"}, "refuse": {"reason": "x"}, "pause": {}, "cancel": {}, "repeat": {}}
    for name, body in bodies.items():
        assert auditor.post_json(f"push-jobs/{job['uid']}/{name}/", body).status_code == 403
    assert auditor.post_json("targets/coupa/plan/", {}).status_code == 403


def test_a_large_replay_needs_a_second_token_of_another_person(silent, operator):
    die(suppliers(LIMIT + 1))
    asked = {"filter": {"target": "coupa", "state": ["failed", "rejected"]}, "dry_run": False, "rate_per_s": 50}
    (job,) = operator.post_json("deliveries/replay/", asked).json()["jobs"]
    assert (job["state"], job["needs_approval"], job["sends"], job["rate_per_s"]) == ("waiting", True, LIMIT + 1, 50)
    path = f"push-jobs/{job['uid']}/"
    own = operator.post_json(f"{path}approve/", {"content_hash": job["content_hash"]})
    assert (own.status_code, own.json()["code"]) == (403, "four_eyes")
    steward = caller("steward")
    assert steward.post_json(f"{path}approve/", {"content_hash": "no"}).json()["code"] == "content_changed"
    approved = steward.post_json(f"{path}approve/", {"content_hash": job["content_hash"], "comment": "Go"}).json()
    assert approved["state"] == "running" and approved["approved_by"] and approved["comment"] == "Go"
    assert steward.post_json(f"{path}pause/").json()["state"] == "paused"
    assert steward.post_json(f"{path}pause/").status_code == 409
    assert steward.post_json(f"{path}resume/").json()["state"] == "running"
    assert steward.post_json(f"{path}cancel/").json()["state"] == "cancelled"
    assert steward.post_json(f"{path}refuse/", {"reason": "late"}).status_code == 409


def test_forcing_needs_its_scope_and_a_reason(silent, operator):
    die(suppliers(1))
    asked = {"filter": {"target": "coupa"}, "dry_run": False, "force": True}
    assert operator.post_json("deliveries/replay/", asked | {"reason": "x"}).status_code == 403
    lead = caller("lead_steward")
    assert lead.post_json("deliveries/replay/", asked).status_code == 400
    (job,) = lead.post_json("deliveries/replay/", asked | {"reason": "As it was in May"}).json()["jobs"]
    assert (job["state"], job["forced"], job["reason"]) == ("waiting", True, "As it was in May")


def test_a_plan_is_asked_for_read_and_applied(sandbox, operator):
    world.allow_everything()
    started = sandbox("coupa")
    world.target("coupa", started.url)
    Subscription.objects.update(from_seq=10**9)
    first, second = suppliers(2)
    answer = operator.post_json("targets/coupa/plan/", {"type": "supplier", "records": [first]})
    assert answer.status_code == 202 and answer.json()["state"] == "planning" and answer.json()["progress"] == 0
    planning.run(answer.json()["uid"])
    job = operator.read(answer["Location"]).json()
    assert (job["kind"], job["state"], job["sends"]) == ("plan", "waiting", 1)
    (row,) = operator.read(f"push-jobs/{job['uid']}/rows/?effect=create").json()["results"]
    assert (row["record"], row["effect"], row["state"], row["changes"]) == (first, "create", "waiting", [])
    operator.post_json(f"push-jobs/{job['uid']}/approve/", {"content_hash": job["content_hash"]})
    planning.run(job["uid"])
    world.send_until_settled()
    world.dispatch_now()
    assert operator.read(f"push-jobs/{job['uid']}/").json()["counts"]["posted"] == 1
    assert str(Delivery.objects.get().record) == first
    assert operator.read("push-jobs/?kind=plan&state=done").json()["results"][0]["uid"] == job["uid"]
    assert operator.post_json(f"push-jobs/{job['uid']}/repeat/").status_code == 409
    for wrong in ({"type": "unicorn"}, {"records": [first]}, {"rate_per_s": 10**6}, {"since": "soon"}):
        assert operator.post_json("targets/coupa/plan/", wrong).status_code == 400, wrong


def test_what_a_person_may_send_alone_is_queued_at_once_and_more_is_a_job(silent, operator):
    Subscription.objects.update(from_seq=10**9)
    uids = suppliers(LIMIT + 1)
    few = operator.post_json("targets/coupa/push/", {"type": "supplier", "records": uids[:2]}).json()
    assert len(few["deliveries"]) == 2 and few["job"] is None
    many = operator.post_json("targets/coupa/push/", {"type": "supplier", "records": uids}).json()
    assert many["deliveries"] == [] and PushJob.objects.get(uid=many["job"]).total == LIMIT - 1
    moment = PushJob.objects.get().created_at.isoformat()
    world.propose("supplier", {"website": "https://neu.example"}, uid=uids[0])
    delta = operator.post_json("targets/coupa/push/", {"since": moment}).json()
    assert PushJob.objects.get(uid=delta["job"]).kind == "delta"
