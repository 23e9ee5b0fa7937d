"""The queue over REST: filters, judgements of several people, undo, what follows, clusters, any two compared."""

from __future__ import annotations

import pytest

from mdm.models import ChangeRequest, DuplicatePair, MatchDecision
from tests.api.callers import caller, make_record

pytestmark = pytest.mark.django_db
STREET = {"kind": "registered", "lines": ["Werftstr. 4"], "postal_code": "18057", "city": "Rostock", "country": "DE"}
IBAN = "DE89370400440532013000"


def family(count: int = 3) -> list[str]:
    names = ["Warnow Schiffbau GmbH", "WARNOW SCHIFFBAU", "Warnow Schiffbau Gesellschaft mbH", "Warnow-Schiffbau GmbH"]
    return [str(make_record("supplier", legal_name=n, addresses=[STREET], country="DE").uid) for n in names[:count]]


def pair_of(steward, one: str, other: str):
    [pair] = [
        p
        for p in steward.read(f"duplicates/?record={one}").json()["results"]
        if {p["left"]["uid"], p["right"]["uid"]} == {one, other}
    ]
    return pair


def test_pairs_come_by_rank_and_say_why(steward):
    family()
    rows = steward.read("duplicates/?state=open").json()["results"]
    assert len(rows) == 3 and [r["rank"] for r in rows] == sorted((r["rank"] for r in rows), reverse=True)
    told = rows[0]["ranking"]
    assert rows[0]["rank"] == round(told["risk"] * told["confidence"] * told["use"], 4) and told["why"]


@pytest.mark.parametrize(
    ("query", "many"),
    [
        ("country=DE", 3), ("country=FR", 0), ("q=warnow", 3), ("q=nobody", 0), ("assigned=nobody", 3), ("assigned=me", 0),
        ("age=day", 3), ("age=older", 0), ("system=none", 0), ("entity=none", 0), ("dispute=any", 0), ("reopened=true", 0),
        ("kind=account", 0), ("band=none", 0), ("score=1", 0), ("flag=sibling", 0), ("type=suppliers", 3), ("type=x", 0),
    ],
)  # fmt: skip
def test_filters(steward, query, many):
    family()
    assert len(steward.read(f"duplicates/?{query}").json()["results"]) == many


def test_a_judgement_its_consequence_and_its_undo(steward):
    a, b, c = family()
    first, second, third = pair_of(steward, a, b), pair_of(steward, b, c), pair_of(steward, a, c)
    steward.post_json(f"duplicates/{first['uid']}/decide/", {"judgement": "same"})
    steward.post_json(f"duplicates/{second['uid']}/decide/", {"judgement": "different", "reason": "Two yards"})
    shown = steward.read(f"duplicates/{third['uid']}/").json()
    assert (shown["state"], shown["follows"]) == ("follows", "different")
    assert {p["judgement"] for p in shown["follows_from"]} == {"same", "different"} and shown["judgements"] == []
    counts = steward.read("duplicates/counts/").json()
    assert (counts["open"], counts["follows"]) == (0, 1)
    back = steward.post_json(f"duplicates/{second['uid']}/undo/", {}).json()
    assert back["state"] == "open" and [j["stands"] for j in back["judgements"]] == [False, False]
    assert steward.read(f"duplicates/{third['uid']}/").json()["state"] == "open"
    assert steward.post_json(f"duplicates/{second['uid']}/undo/", {}).status_code == 409


def test_people_differ_and_a_lead_steward_settles(steward):
    a, b = family(2)
    uid = pair_of(steward, a, b)["uid"]
    lead = caller("lead_steward")
    steward.post_json(f"duplicates/{uid}/decide/", {"judgement": "different"})
    shown = lead.post_json(f"duplicates/{uid}/decide/", {"judgement": "same"}).json()
    assert (shown["state"], shown["dispute"]) == ("different", "people")
    assert [r["uid"] for r in steward.read("duplicates/?dispute=people").json()["results"]] == [uid]
    body = {"judgement": "same", "settle": True}
    assert steward.post_json(f"duplicates/{uid}/decide/", body).status_code == 403
    shown = lead.post_json(f"duplicates/{uid}/decide/", body).json()
    assert (shown["state"], shown["dispute"]) == ("same", None)


def test_a_relation_becomes_a_request(steward):
    a, b = family(2)
    pair = pair_of(steward, a, b)
    url = f"duplicates/{pair['uid']}/decide/"
    assert steward.post_json(url, {"judgement": "related"}).status_code == 400
    shown = steward.post_json(url, {"judgement": "related", "relation": "child"}).json()
    change = ChangeRequest.objects.get(uid=shown["judgements"][0]["change_request"])
    assert (shown["state"], change.state, change.origin) == ("related", "in_review", "api")
    assert str(change.items.get().uid) == pair["left"]["uid"]


def test_old_evidence_is_refused(steward):
    a, b = family(2)
    pair = pair_of(steward, a, b)
    url = f"duplicates/{pair['uid']}/decide/"
    assert steward.post_json(url, {"judgement": "same", "evidence_hash": "0" * 64}).status_code == 409
    assert not MatchDecision.objects.exists()
    assert steward.post_json(url, {"judgement": "same", "evidence_hash": pair["evidence_hash"]}).status_code == 200


def test_several_at_once_and_giving_a_pair_to_somebody(steward):
    family()
    uids = [r["uid"] for r in steward.read("duplicates/").json()["results"]]
    nobody = "00000000-0000-0000-0000-000000000000"
    assert steward.post_json("duplicates/decide/", {"pairs": [*uids, nobody], "judgement": "unsure"}).status_code == 400
    assert not MatchDecision.objects.exists()
    assert steward.post_json("duplicates/decide/", {"pairs": uids, "judgement": "unsure"}).json() == {"judged": 3}
    name = DuplicatePair.objects.get(uid=uids[0]).decisions.get().decided_by.get_username()
    assert steward.post_json(f"duplicates/{uids[0]}/assign/", {"to": name}).json()["assigned_to"] == name
    assert len(steward.read("duplicates/?assigned=me").json()["results"]) == 1
    assert steward.post_json(f"duplicates/{uids[0]}/assign/", {"to": "nobody-here"}).status_code == 400


def test_a_cluster_never_puts_together_what_is_kept_apart(steward):
    a, b, c = family()
    steward.post_json(f"duplicates/{pair_of(steward, a, b)['uid']}/decide/", {"judgement": "different"})
    found = steward.read(f"suppliers/{a}/cluster/").json()
    assert {m["uid"] for m in found["members"]} == {a, b, c} and len(found["pairs"]) == 3
    assert not any({a, b} <= set(group) for group in found["groups"])
    assert sorted(len(group) for group in found["groups"]) == [1, 2]


def test_any_two_are_compared_with_why_and_why_not(requester):
    a, _ = family(2)
    other = str(make_record("supplier", legal_name="Ganz Andere Ltd", country="GB").uid)
    body = requester.read(f"suppliers/match/compare/?left={a}&right={other}").json()
    assert body["band"] == "none" and body["why_not"] and not DuplicatePair.objects.filter(right=other).exists()
    assert abs(body["base"] + sum(p["weight"] for p in body["explanation"]) - body["score"]) < 1e-6
    assert requester.read("suppliers/match/compare/?left=code:none&right=code:none").status_code == 404
    assert requester.read(f"suppliers/match/compare/?left={a}").status_code == 400


def test_shared_accounts_are_for_those_who_may_see_warnings(requester, steward):
    make_record("supplier", legal_name="Alpenblick Catering GmbH", bank_accounts=[{"iban": IBAN}])
    make_record("supplier", legal_name="Zylinder Motoren SARL", country="FR", bank_accounts=[{"iban": IBAN}])
    [warning] = steward.read("duplicates/?kind=account").json()["results"]
    assert warning["flags"] == ["shared_bank_account"] and IBAN not in str(warning)
    assert requester.read("duplicates/").json()["results"] == []
    assert requester.read(f"duplicates/{warning['uid']}/").status_code == 404
    assert steward.read("duplicates/counts/").json()["account"] == 1
