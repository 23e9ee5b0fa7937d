"""What every type whose records belong to legal entities owes: people of some companies learn nothing of the others.

A type joins by naming its `entity_field`. Each door is asked with one record of theirs, one of others, and one request of each.
"""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from mdm import registry
from mdm.models import ApprovalPolicy, AuditEntry, ChangeRequest, Crosswalk, Event, RecordVersion
from mdm.registry import RecordType
from mdm.services import changes, events
from mdm.services.proposing import ProposedItem
from mdm.types import Actor
from tests.api.callers import EXAMPLES, Caller, caller, make_record
from tests.people import person, system

pytestmark = pytest.mark.django_db
LIMITED = [kind for kind in registry.all_types() if kind.entity_field]
OURS, THEIRS = "EX01", "EX02"
SECRET = "Geheimrat"  # in every value and code of the other company
ROLES = ("requester", "steward", "approver", "auditor", "governance")


class World:
    """`own`, `other`: records; `asked`: a request about the other one; `new`: one that would make another there."""

    def __init__(self, kind: RecordType) -> None:
        self.kind = kind
        make_record("legal_entity", OURS)
        make_record("legal_entity", THEIRS, name="Another company of the group")
        self.own = self.make("OWN-1", OURS, "Our own")
        self.other = self.make(f"X-{SECRET}", THEIRS, f"{SECRET} of theirs")
        for code, made in (("K-own", self.own), (f"K-{SECRET}", self.other)):
            Crosswalk.objects.create(
                system=system("erp"), key=code, type=kind.key, uid=made.uid, primary=True, since=timezone.now()
            )
        ApprovalPolicy.objects.all().delete()
        patch = {kind.name_field: f"{SECRET} renamed"}
        self.asked = self.ask(ProposedItem(type=kind.key, uid=str(self.other.uid), patch=patch))
        values = {**EXAMPLES[kind.key], kind.entity_field: THEIRS, kind.name_field: f"{SECRET} to come"}
        self.new = self.ask(ProposedItem(type=kind.key, action="create", patch=values, code=f"N-{SECRET}"))
        item = ProposedItem(type=kind.key, uid=str(self.own.uid), patch={kind.name_field: "Our renamed"})
        self.ours = self.ask(item, "We ask")
        events.seal()

    def make(self, code: str, entity: str, name: str) -> RecordVersion:
        return make_record(self.kind.key, code, **{self.kind.entity_field: entity, self.kind.name_field: name})

    def ask(self, item: ProposedItem, reason: str = f"{SECRET} asks") -> ChangeRequest:
        return changes.propose(items=[item], by=Actor.system("tests"), origin="api", reason=reason)

    def state(self) -> list[Any]:
        """Everything that a refused call must leave as it is."""
        requests = list(ChangeRequest.objects.order_by("pk").values_list("pk", "state", "content_hash"))
        return [requests, RecordVersion.objects.count(), Event.objects.count()]


@pytest.fixture(params=LIMITED, ids=lambda kind: kind.key)
def world(request: pytest.FixtureRequest) -> World:
    return World(request.param)


@pytest.fixture
def scoped() -> Caller:
    return caller(*ROLES, entities=(OURS,))


def browser_of(by: Caller) -> Client:
    client = Client()
    assert by.user is not None
    client.force_login(by.user)
    return client


def text_of(answer: Any) -> str:
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as book:
            content = b"".join(book.read(name) for name in book.namelist())
    return str(content.decode())


def test_the_types_are_those_of_the_design():
    assert {kind.key for kind in LIMITED} == {"cost_center", "profit_center", "project"}


def test_lists_and_files_of_the_api_have_their_own_only(world, scoped):
    base = world.kind.path
    reads = [
        f"{base}/", f"{base}/?q={SECRET}", f"{base}/?as_of=2026-01-01", f"{base}/?{world.kind.entity_field}={THEIRS}",
        f"{base}/?known_at=2100-01-01T00:00:00Z", f"{base}/?fields=code,name",
        *(f"{base}/export/?format={form}" for form in ("csv", "xlsx", "ndjson")),
        f"{base}/export/?format=csv&known_at=2100-01-01T00:00:00Z", f"{base}/export/?format=csv&as_of=2026-01-01",
        "crosswalks/", f"crosswalks/?key=K-{SECRET}", f"crosswalks/?uid={world.other.uid}",
        "change-requests/", f"change-requests/?record={world.other.uid}", "inbox/?tab=mine", "inbox/?tab=team", "inbox/?tab=all",
        "events/", "audit/", f"audit/?object_uid={world.other.uid}", "imports/",
    ]  # fmt: skip
    for path in reads:
        answer = scoped.read(path)
        assert answer.status_code == 200, (path, text_of(answer))
        shown = text_of(answer)
        assert SECRET not in shown and str(world.other.uid) not in shown, path
    assert [row["code"] for row in scoped.read(f"{base}/").json()["results"]] == ["OWN-1"]
    assert [row["number"] for row in scoped.read("change-requests/?state=in_review").json()["results"]] == [
        world.ours.number
    ]


def test_the_record_is_not_there(world, scoped):
    base = f"{world.kind.path}/{world.other.uid}"
    for part in ("", "history/", "provenance/", "crosswalk/", "where-used/", "deliveries/", "?as_of=2026-01-01"):
        answer = scoped.read(f"{base}/{part}")
        assert answer.status_code == 404 and SECRET not in text_of(answer), part
    assert scoped.read(f"{world.kind.path}/code:X-{SECRET}/").status_code == 404
    before = world.state()
    for call in ("block", "retire"):
        assert scoped.post_json(f"{base}/{call}/", {"reason": "no"}).status_code == 404
    assert scoped.patch_json(f"{base}/", {world.kind.name_field: "Mine now"}, If_Match='"1"').status_code == 404
    items = [{"type": world.kind.key, "uid": str(world.other.uid), "changes": {world.kind.name_field: "Mine now"}}]
    refused = scoped.post_json("change-requests/", {"items": items, "title": "No"})
    assert refused.status_code == 400 and refused.json()["errors"][0]["code"] == "unknown_record"
    assert world.state() == before


def test_keys_and_codes_of_others_are_unknown(world, scoped):
    keys = [{"system": "erp", "key": f"K-{SECRET}"}, {"system": "erp", "key": "K-own"}]
    theirs, own = scoped.post_json("crosswalks/resolve/", {"keys": keys}).json()["results"]
    assert theirs["uid"] is None and own["uid"] == str(world.own.uid)
    body = {"type": world.kind.key, "from_system": "erp", "values": [f"K-{SECRET}", "K-own"]}
    answer = scoped.post_json("translate/", body)
    assert answer.status_code == 200 and str(world.other.uid) not in text_of(answer)
    assert [row["code"] for row in answer.json()["results"]] == [None, "OWN-1"]
    body = {"type": world.kind.key, "to_system": "erp", "values": [f"X-{SECRET}"]}
    assert [row["code"] for row in scoped.post_json("translate/", body).json()["results"]] == [None]


@pytest.mark.parametrize("which", ["asked", "new"])
def test_requests_about_others_are_not_there(world, scoped, which):
    change = getattr(world, which)
    assert scoped.read(f"change-requests/{change.uid}/").status_code == 404
    assert scoped.read(f"change-requests/{change.number}/").status_code == 404
    assert scoped.read(f"change-requests/{change.uid}/items/").status_code == 404
    before = world.state()
    body = {"content_hash": change.content_hash, "comment": "Seen"}
    for verdict in ("approve", "reject", "return"):
        assert scoped.post_json(f"change-requests/{change.uid}/{verdict}/", body).status_code == 404
    bulk = {"verdict": "approve", "requests": [{"uid": str(change.uid), "content_hash": change.content_hash}]}
    assert [one["ok"] for one in scoped.post_json("change-requests/bulk-decision/", bulk).json()["results"]] == [False]
    web = browser_of(scoped)
    assert web.get(f"/requests/{change.pk + 10_000}/").status_code == 404
    answer = web.post(
        f"/requests/{change.pk + 10_000}/decide/", {"decision": "approve", "content_hash": change.content_hash}
    )
    assert answer.status_code == 404 and world.state() == before


def test_a_request_about_both_is_cut_and_decided_by_others(world, scoped):
    name = world.kind.name_field
    both = changes.propose(
        items=[ProposedItem(type=world.kind.key, uid=str(one.uid), patch={name: f"{words} both"})
               for one, words in ((world.own, "Ours"), (world.other, SECRET))],
        by=Actor.system("tests"), origin="api", reason="Both",
    )  # fmt: skip
    shown = scoped.read(f"change-requests/{both.uid}/")
    own, theirs = shown.json()["items"]
    assert own["diff"] and own["label"] == "Our own" and SECRET not in text_of(shown)
    assert theirs["diff"] == [] and theirs["code"] is None and theirs["hidden"]
    assert theirs["label"] == f"A {world.kind.noun} of another company"
    page = browser_of(scoped).get(f"/requests/{both.pk + 10_000}/")
    assert page.status_code == 200 and SECRET not in text_of(page)
    before = world.state()
    answer = scoped.post_json(f"change-requests/{both.uid}/approve/", {"content_hash": both.content_hash})
    assert answer.status_code == 403 and answer.json()["code"] == "hidden_paths" and world.state() == before


def test_nobody_proposes_for_another_company(world, scoped):
    kind, before = world.kind, world.state()
    foreign = {**EXAMPLES[kind.key], kind.entity_field: THEIRS}
    answers = [
        scoped.post_json(f"{kind.path}/", foreign),
        scoped.patch_json(f"{kind.path}/{world.own.uid}/", {kind.entity_field: THEIRS}, If_Match='"1"'),
        scoped.post_json(
            "change-requests/", {"title": "No", "items": [{"type": kind.key, "action": "create", "document": foreign}]}
        ),
    ]
    if kind.periods:
        rows = [{**foreign, "valid_from": "2030-01-01"}]
        answers.append(scoped.patch_json(f"{kind.path}/{world.own.uid}/", {kind.periods: rows}, If_Match='"1"'))
    for answer in answers:
        assert answer.status_code == 400 and {e["code"] for e in answer.json()["errors"]} == {"foreign_entity"}
    form = {**{name: str(value) for name, value in foreign.items()}, "reason": "No", "do": "send"}
    page = browser_of(scoped).post(f"/records/{kind.path}/new/", form)
    assert page.status_code == 422 and "not one of yours" in text_of(page)
    assert world.state() == before


def test_pages_show_their_own_only(world, scoped):
    base, uid = f"/records/{world.kind.path}/", world.other.uid
    web = browser_of(scoped)
    pages = [
        base, f"{base}?q={SECRET}", f"{base}?{world.kind.entity_field}={THEIRS}", f"{base}new/", f"{base}{world.own.uid}/",
        f"{base}{world.own.uid}/edit/", f"{base}{world.own.uid}/timeline/", f"{base}{world.own.uid}/audit/",
        *(f"{base}export/?format={form}" for form in ("csv", "xlsx", "ndjson")),
        f"/search/?q={SECRET}", f"/search/?q=K-{SECRET}", "/inbox/", "/inbox/?tab=team", "/inbox/?tab=all", "/", "/audit/",
        f"/audit/?object={uid}", "/imports/",
        f"/inbox/?request={world.asked.pk + 10_000}",
    ]  # fmt: skip
    for url in pages:
        answer = web.get(url)
        shown = text_of(answer).replace(f"?q={SECRET}", "").replace(f"K-{SECRET}", "").replace(f'value="{SECRET}"', "")
        assert answer.status_code == 200, url
        if "search" not in url and "q=" not in url:
            assert SECRET not in shown, url
        assert f"X-{SECRET}" not in shown and f"{SECRET} of theirs" not in shown, url
        assert str(uid) not in shown or str(uid) in url, url
    for part in ("", "sources/", "sources.csv", "timeline/", "sync/", "where-used/", "requests/", "audit/", "edit/"):
        answer = web.get(f"{base}{uid}/{part}")
        assert answer.status_code == 404 and SECRET not in text_of(answer), part
    before = world.state()
    assert web.post(f"{base}{uid}/status/block/", {"reason": "no"}).status_code == 404
    assert web.post(f"{base}bulk/", {"uid": [str(uid)], "do": "block", "reason": "no"}).status_code in (404, 422)
    assert text_of(web.post(f"{base}bulk/", {"uid": [str(uid)], "do": "csv"})).count("\n") == 1
    assert world.state() == before


def test_the_admin_site_shows_their_own_only(world, scoped):
    web, model = browser_of(scoped), world.kind.model._meta
    scoped.user.is_staff = True
    scoped.user.save()
    for url in (f"/admin/{model.app_label}/{model.model_name}/", "/admin/mdm/changerequest/", "/admin/mdm/auditentry/"):
        answer = web.get(url, {"all": ""})
        assert answer.status_code == 200 and SECRET not in text_of(answer), url
    row = world.kind.model._default_manager.get(uid=world.other.uid)
    assert web.get(f"/admin/{model.app_label}/{model.model_name}/{row.pk}/change/").status_code == 302
    assert AuditEntry.objects.filter(object_uid=str(world.other.uid)).exists()


def test_people_of_all_companies_and_of_the_other_see_it(world):
    for by in (caller(*ROLES), caller(*ROLES, entities=(THEIRS,)), caller(*ROLES, entities=(OURS, THEIRS))):
        assert scoped_codes(by, world) >= {f"X-{SECRET}"}
        assert by.read(f"change-requests/{world.asked.uid}/").json()["items"][0]["diff"]
        assert by.read(f"change-requests/{world.new.uid}/").json()["items"][0]["code"] == f"N-{SECRET}"


def scoped_codes(by: Caller, world: World) -> set[str]:
    return {row["code"] for row in by.read(f"{world.kind.path}/").json()["results"]}


def test_a_record_of_no_company_is_everybodys(scoped):
    make_record("profit_center", "PC-ALL", name="For all")
    assert scoped.read("profit-centers/").json()["results"][0]["code"] == "PC-ALL"
    assert scoped.read("profit-centers/code:PC-ALL/").status_code == 200
    assert len(scoped.read("profit-centers/code:PC-ALL/history/").json()["results"]) == 1
    assert browser_of(scoped).get("/search/?q=PC-ALL").content.decode().count("For all")


@pytest.fixture
def moved(scoped: Caller) -> RecordVersion:
    """Theirs up to 2020, another company's since, theirs again from 2090 on."""
    make_record("legal_entity", OURS)
    make_record("legal_entity", THEIRS, name="Another company")
    rows = [
        {"name": "Then ours", "legal_entity": OURS, "category": "logistics", "valid_to": "2020-01-01"},
        {"name": f"{SECRET} now", "legal_entity": THEIRS, "category": "logistics", "valid_from": "2020-01-01",
         "valid_to": "2090-01-01", "responsible": SECRET},
        {"name": "Ours again", "legal_entity": OURS, "category": "logistics", "valid_from": "2090-01-01"},
    ]  # fmt: skip
    return make_record("cost_center", "CC-MOVED", slices=rows)


def test_a_record_that_moved_shows_the_periods_that_are_theirs(moved, scoped):
    shown = scoped.read("cost-centers/code:CC-MOVED/")
    assert shown.status_code == 200 and SECRET not in text_of(shown)
    body = shown.json()
    assert (body["name"], body["validity"], body["valid_to"]) == ("Then ours", "ended", "2020-01-01")
    assert [row["name"] for row in body["slices"]] == ["Then ours", "Ours again"]
    for part in ("?as_of=2019-01-01", "?as_of=2026-01-01", "history/", "provenance/", "?known_at=2100-01-01T00:00:00Z"):
        answer = scoped.read(f"cost-centers/code:CC-MOVED/{part}")
        assert answer.status_code == 200 and SECRET not in text_of(answer), part
    web = browser_of(scoped)
    for part in (
        "",
        "timeline/",
        "timeline/?as_of=2026-01-01",
        "sources/",
        "sync/",
        "requests/",
        "audit/",
        "edit/",
        "?as_of=2026-01-01",
    ):
        answer = web.get(f"/records/cost-centers/{moved.uid}/{part}")
        assert answer.status_code == 200 and SECRET not in text_of(answer), part
    assert web.get(f"/records/cost-centers/{moved.uid}/sources.csv").status_code == 404


def test_a_list_shows_it_on_the_days_it_is_theirs(moved, scoped):
    def codes(query: str) -> list[str]:
        return [row["code"] for row in scoped.read(f"cost-centers/{query}").json()["results"]]

    assert codes("") == [] and codes("?as_of=2026-01-01") == [] and codes(f"?q={SECRET}") == []
    assert codes("?as_of=2019-01-01") == codes("?as_of=2091-01-01") == ["CC-MOVED"]
    assert SECRET not in text_of(scoped.read("cost-centers/?as_of=2019-01-01"))
    assert browser_of(scoped).get(f"/search/?q={SECRET}").content.decode().count("CC-MOVED") == 0
    both = caller("steward", entities=(OURS, THEIRS))
    assert [row["code"] for row in both.read("cost-centers/").json()["results"]] == ["CC-MOVED"]


def test_nobody_changes_a_period_of_others(moved, scoped):
    """By value from a day on, by the row itself, by ending the record or by its status."""
    url, before = "cost-centers/code:CC-MOVED/", RecordVersion.objects.count()
    foreign = next(row for row in moved.document["slices"] if row["legal_entity"] == THEIRS)["uid"]
    bodies: list[dict[str, Any]] = [
        {"responsible": "Me", "valid_from": "2010-01-01"}, {"responsible": "Me"}, {"valid_to": "2019-01-01"},
        {"slices": [{"uid": foreign, "responsible": "Me"}]}, {"slices": [{"uid": foreign, "_end": True}]},
    ]  # fmt: skip
    for body in bodies:
        answer = scoped.patch_json(url, body, If_Match='"1"')
        assert answer.status_code == 400, (body, answer.json())
        assert {e["code"] for e in answer.json()["errors"]} <= {
            "foreign_entity",
            "unknown_child",
        } and SECRET not in text_of(answer)
    assert scoped.post_json(f"{url}block/", {"reason": "no"}).status_code == 400
    assert RecordVersion.objects.count() == before and not ChangeRequest.objects.filter(state="in_review").exists()


def test_a_move_is_approved_by_people_of_both(moved, scoped):
    ApprovalPolicy.objects.all().delete()
    patch = {"responsible": "New", "valid_from": "2025-01-01"}
    item = ProposedItem(type="cost_center", uid=str(moved.uid), patch=patch)
    change = changes.propose(items=[item], by=Actor.system("tests"), origin="api", reason="x")
    assert scoped.read(f"change-requests/{change.uid}/").status_code == 404  # it is another company's today
    make_record("cost_center", "CC-HERE", name="Ours", legal_entity=OURS)
    ApprovalPolicy.objects.all().delete()
    here = RecordVersion.objects.get(document__code="CC-HERE").uid
    item = ProposedItem(type="cost_center", uid=str(here), patch={"legal_entity": THEIRS, "valid_from": "2100-01-01"})
    leaving = changes.propose(items=[item], by=Actor.system("tests"), origin="api", reason="It moves")
    part = scoped.read(f"change-requests/{leaving.uid}/").json()["items"][0]
    assert part["hidden"] and THEIRS not in str(part["diff"])
    answer = scoped.post_json(f"change-requests/{leaving.uid}/approve/", {"content_hash": leaving.content_hash})
    assert answer.json()["code"] == "hidden_paths"
    both = caller("approver", "steward", entities=(OURS, THEIRS))
    answer = both.post_json(f"change-requests/{leaving.uid}/approve/", {"content_hash": leaving.content_hash})
    assert answer.status_code == 200, answer.json()


def test_who_names_a_record_is_told_of_their_companies_only(scoped):
    make_record("legal_entity", OURS)
    make_record("legal_entity", THEIRS, name="Another company")
    center = make_record("profit_center", "PC-1", name="Shared")
    for code, entity, name in (("CC-1", OURS, "Ours"), ("CC-2", THEIRS, SECRET)):
        make_record("cost_center", code, legal_entity=entity, name=name, profit_center="PC-1")
    answer = scoped.read("profit-centers/code:PC-1/where-used/")
    assert [row["code"] for row in answer.json()["results"]] == ["CC-1"]
    assert SECRET not in text_of(browser_of(scoped).get(f"/records/profit-centers/{center.uid}/where-used/"))


def test_forms_offer_and_pages_name_their_own_only(scoped):
    make_record("legal_entity", OURS)
    make_record("legal_entity", THEIRS, name=f"{SECRET} AG")
    make_record("profit_center", "PC-X", name=SECRET, legal_entity=THEIRS)
    own = make_record("cost_center", "CC-1", profit_center="PC-X", responsible="Ida")
    web = browser_of(scoped)
    for url in ("", "new/", f"{own.uid}/", f"{own.uid}/edit/"):
        answer = web.get(f"/records/cost-centers/{url}")
        assert answer.status_code == 200 and SECRET not in text_of(answer), url


def test_an_import_of_others_is_not_there(scoped):
    from mdm.models import ImportJob

    job = ImportJob.objects.create(
        system=system("erp"), type="cost_center", file_name=f"{SECRET}.csv", created_by_name="x"
    )
    assert scoped.read(f"imports/{job.uid}/").status_code == 404
    assert browser_of(scoped).get(f"/imports/{job.uid}/").status_code == 404
    own = ImportJob.objects.create(
        system=system("erp"), type="cost_center", file_name="own.csv", created_by=scoped.user, created_by_name="x"
    )
    assert [row["uid"] for row in scoped.read("imports/").json()["results"]] == [str(own.uid)]
    assert person("root", "steward") and caller("steward").read(f"imports/{job.uid}/").status_code == 200
