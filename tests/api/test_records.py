"""Records over REST: documents, lists, filters, exports, and what may be asked about one record."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from mdm.models import RecordVersion
from tests.api.callers import IBAN, Caller, caller, make_record, person, token_for

pytestmark = pytest.mark.django_db


def test_a_record_by_uid_and_by_code(steward):
    made = make_record("supplier", bank_accounts=[{"iban": IBAN}])
    for reference in (made.uid, f"code:{made.document['code']}"):
        answer = steward.read(f"suppliers/{reference}/")
        assert answer.status_code == 200
        body = answer.json()
        assert body["legal_name"] == "Bergbau Nord GmbH"
        assert body["bank_accounts"][0]["iban"] == "DE89…3000"
        assert body["schema"] == "supplier/1" and body["updated_at"]
        assert answer["ETag"] == '"1"'


@pytest.mark.parametrize(
    "reference", ["00000000-0000-4000-8000-000000000000", "code:none", "nonsense", "code:%00", "%F0%9F%92%A9"]
)
def test_what_is_not_there_is_404(steward, reference):
    answer = steward.read(f"suppliers/{reference}/")
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


def test_a_reader_who_holds_the_version_gets_304(steward):
    made = make_record("supplier")
    answer = steward.read(f"suppliers/{made.uid}/", If_None_Match='"1"')
    assert answer.status_code == 304 and not answer.content and answer["ETag"] == '"1"'
    assert steward.read(f"suppliers/{made.uid}/", If_None_Match='"2"').status_code == 200


def test_only_the_fields_asked_for(steward):
    made = make_record("supplier")
    body = steward.read(f"suppliers/{made.uid}/?fields=code,legal_name").json()
    assert set(body) == {"uid", "code", "legal_name"}
    refused = steward.read("suppliers/?fields=code,nonsense")
    assert refused.status_code == 400 and refused.json()["errors"][0]["path"] == "fields"


def test_reading_a_record_takes_two_queries(steward, django_assert_num_queries):
    made = make_record("supplier", bank_accounts=[{"iban": IBAN}], addresses=[{"kind": "registered", "city": "Ulm"}])
    steward.read(f"suppliers/{made.uid}/")  # the first call of a day notes the token's use
    with django_assert_num_queries(2):
        steward.read(f"suppliers/{made.uid}/")


def test_a_list_takes_two_queries_whatever_its_size(steward, django_assert_num_queries):
    for number in range(12):
        make_record("supplier", legal_name=f"Firma {number}")
    steward.read("suppliers/")
    for size in (2, 12):
        with django_assert_num_queries(2):
            assert len(steward.read(f"suppliers/?page_size={size}").json()["results"]) == size


def walk(reader: Caller, address: str) -> list[dict]:
    """All results, page after page, there and back again."""
    there, last = [], None
    while address:
        page = reader.read(address).json()
        there += page["results"]
        address, last = page["next"], page
    back = list(reversed(last["results"]))
    while last["previous"]:
        last = reader.read(last["previous"]).json()
        back += reversed(last["results"])
    assert [r["uid"] for r in back] == [r["uid"] for r in reversed(there)]
    return there


@pytest.mark.parametrize("ordering", ["", "code", "-code", "country", "-country", "updated_at", "-legal_name"])
def test_pages_show_every_record_once(steward, ordering):
    """Also where the column of the ordering is empty, or the same for many."""
    for number in range(7):
        make_record("supplier", legal_name=f"Firma {number % 3}", country=[None, "DE", "FR"][number % 3])
    found = walk(steward, f"suppliers/?page_size=2{'&ordering=' + ordering if ordering else ''}")
    assert len({r["uid"] for r in found}) == len(found) == 7
    name = ordering.lstrip("-")
    if name and name != "country":
        values = [r[name] for r in found]
        assert values == sorted(values, reverse=ordering.startswith("-"))


def test_a_record_added_while_paging_shifts_nothing(steward):
    for _ in range(4):
        make_record("supplier")
    first = steward.read("suppliers/?page_size=2").json()
    make_record("supplier")
    second = steward.read(first["next"]).json()
    assert not {r["uid"] for r in first["results"]} & {r["uid"] for r in second["results"]}


def test_the_count_only_when_asked(steward):
    make_record("supplier")
    assert "count" not in steward.read("suppliers/").json()
    assert steward.read("suppliers/?count=true&page_size=1").json()["count"] == 1


@pytest.mark.parametrize("cursor", ["x", "AAAA", "ZGV2AA", "é"])
def test_a_cursor_that_was_made_up_is_refused(steward, cursor):
    answer = steward.read(f"suppliers/?cursor={cursor}")
    assert answer.status_code == 400 and answer.json()["code"] == "invalid_cursor"


def test_a_cursor_belongs_to_its_ordering(steward):
    make_record("supplier"), make_record("supplier")
    onward = steward.read("suppliers/?page_size=1&ordering=code").json()["next"]
    assert steward.read(onward.replace("ordering=code", "ordering=-code")).status_code == 400


def names(reader: Caller, query: str) -> set[str]:
    return {r["legal_name"] for r in reader.read(f"suppliers/?{query}").json()["results"]}


def test_filters_are_typed(steward):
    make_record("supplier", code="A-1", legal_name="Alpha", country="DE", group="g1")
    make_record("supplier", code="B-2", legal_name="Beta", country="FR", group="g2")
    made = make_record("supplier", code="C-3", legal_name="Gamma", country="IT")
    assert names(steward, "country=DE") == {"Alpha"}
    assert names(steward, "country__in=DE,FR") == {"Alpha", "Beta"}
    assert names(steward, "code__gte=B-2&code__lte=C-3") == {"Beta", "Gamma"}
    assert names(steward, "legal_name__startswith=Ga") == {"Gamma"}
    assert names(steward, f"uid={made.uid}") == {"Gamma"}
    assert names(steward, "status=blocked") == set()
    assert names(steward, f"updated_at__gte={made.created_at.isoformat().replace('+', '%2B')}") == {"Gamma"}


@pytest.mark.parametrize(
    "query",
    [
        "colour=red",
        "country__like=D",
        "status=asleep",
        "uid=nonsense",
        "updated_at__gte=yesterday",
        "page_size=0",
        "page_size=1001",
        "count=perhaps",
        "ordering=secret",
        "country=DE&country=FR",
        "country=%00",
        "as_of=31.1.2026",
        "cursor=&nonsense=1",
    ],
)
def test_a_filter_that_is_none_is_refused(steward, query):
    answer = steward.read(f"suppliers/?{query}")
    assert answer.status_code == 400
    assert answer.json()["errors"], answer.content


def test_full_text_finds_beginnings_of_words_accents_and_numbers(steward):
    make_record(
        "supplier",
        legal_name="Société Générale de Bois",
        tax_registrations=[{"scheme": "SIREN", "number": "552 120 222"}],
    )
    make_record("supplier", legal_name="Bergbau Nord GmbH")
    assert names(steward, "q=generale+boi") == {"Société Générale de Bois"}
    assert names(steward, "q=552120222") == {"Société Générale de Bois"}
    assert names(steward, "q=nord+bois") == set()
    assert names(steward, "q=%27%22%3A*+%26+|!") == set()


def test_a_list_never_shows_a_whole_number(steward):
    make_record("supplier", bank_accounts=[{"iban": IBAN}, {"account_number": "12345678901"}])
    for address in ("suppliers/", "suppliers/export/?format=ndjson", "suppliers/export/?format=csv"):
        answer = steward.read(address)
        text = b"".join(answer.streaming_content) if answer.streaming else answer.content
        assert IBAN.encode() not in text and b"12345678901" not in text
        assert "DE89…3000".encode() in text or b"DE89\\u2026" in text


def test_a_list_shows_a_record_as_it_is_shown_alone(steward):
    """Lists take a shorter way from the database; what they show is the same."""
    imitation = '{"ct": "a", "bix": "b", "kid": "c", "head": "d", "last4": "e"}'
    made = make_record(
        "supplier",
        legal_name=f'Quote " back \\ {imitation}',
        tags=["ü", "…", imitation],
        bank_accounts=[{"iban": IBAN, "account_number": "12345678"}, {"account_number": "99887766"}],
    )
    alone = steward.read(f"suppliers/{made.uid}/").json()
    assert steward.read("suppliers/").json()["results"] == [alone]
    assert steward.read("suppliers/?fields=legal_name,tags").json()["results"][0]["tags"] == alone["tags"]
    assert imitation in alone["legal_name"] and alone["bank_accounts"][1]["account_number"] == "…66"


def test_exports_hold_what_the_filter_leaves(steward):
    make_record("supplier", legal_name="=1+1", country="DE")
    make_record("supplier", legal_name="Beta", country="FR")
    lines = b"".join(steward.read("suppliers/export/?format=ndjson&country=FR").streaming_content).splitlines()
    assert [json.loads(line)["legal_name"] for line in lines] == ["Beta"]
    answer = steward.read("suppliers/export/?format=csv&fields=legal_name")
    assert "attachment" in answer["Content-Disposition"]
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    assert "'=1+1" in text
    assert b"".join(steward.read("suppliers/export/?format=xlsx").streaming_content)[:2] == b"PK"
    assert steward.read("suppliers/export/?format=pdf").status_code == 400


def change_name(version: RecordVersion, name: str) -> RecordVersion:
    from mdm.services import changes
    from mdm.services.proposing import ProposedItem
    from mdm.types import Actor

    item = ProposedItem(type=version.type, uid=str(version.uid), patch={"legal_name": name})
    changes.propose(items=[item], by=Actor.system("tests"), origin="system")
    return RecordVersion.objects.filter(uid=version.uid).order_by("-version")[0]


def test_history_says_what_each_version_changed(steward):
    made = make_record("supplier", legal_name="Before")
    change_name(made, "After")
    body = steward.read(f"suppliers/{made.uid}/history/").json()
    assert [row["version"] for row in body["results"]] == [2, 1]
    assert body["results"][0]["diff"] == [{"path": "legal_name", "before": "Before", "after": "After"}]
    assert body["results"][0]["change_request"]["number"].startswith("CR-")
    page = steward.read(f"suppliers/{made.uid}/history/?page_size=1").json()
    assert page["results"][0]["diff"] and page["next"]


def test_what_the_hub_knew_at_a_time(steward):
    made = make_record("supplier", code="K-1", legal_name="Before")
    change_name(made, "After")
    then = made.created_at.isoformat().replace("+00:00", "Z")
    assert steward.read(f"suppliers/{made.uid}/?known_at={then}").json()["legal_name"] == "Before"
    assert names(steward, f"known_at={then}&code=K-1") == {"Before"}
    assert names(steward, "code=K-1") == {"After"}
    earlier = (timezone.now() - timedelta(days=3)).isoformat().replace("+00:00", "Z")
    assert steward.read(f"suppliers/{made.uid}/?known_at={earlier}").status_code == 404
    assert names(steward, f"known_at={earlier}") == set()
    assert steward.read(f"suppliers/?known_at={then}&country=DE").status_code == 400
    assert b"Before" in b"".join(steward.read(f"suppliers/export/?format=csv&known_at={then}").streaming_content)


def test_who_refers_to_a_record(steward):
    term = make_record("payment_term", code="NET30")
    parent = make_record("supplier", legal_name="Mother")
    child = make_record("supplier", legal_name="Daughter", parent=str(parent.uid), payment_terms="NET30")
    used = steward.read(f"payment-terms/{term.uid}/where-used/").json()
    assert [(r["uid"], r["path"]) for r in used["results"]] == [(str(child.uid), "payment_terms")]
    used = steward.read(f"suppliers/{parent.uid}/where-used/").json()
    assert [(r["name"], r["path"]) for r in used["results"]] == [("Daughter", "parent")]


def test_provenance_of_what_was_entered_here(steward):
    made = make_record("supplier", bank_accounts=[{"iban": IBAN}])
    rows = {r["path"]: r for r in steward.read(f"suppliers/{made.uid}/provenance/").json()["results"]}
    assert rows["legal_name"]["system"] == "hub" and rows["legal_name"]["rule"] == "entered"
    [account] = [row for path, row in rows.items() if path.startswith("bank_accounts/")]
    assert account["value"]["iban"] == "DE89…3000"


def test_the_schema_of_a_document(steward):
    body = steward.read("suppliers/schema/").json()
    assert body["title"] == "supplier/1" and "legal_name" in body["required"]


def test_a_person_sees_rows_of_their_legal_entities_only(db):
    for code in ("NH01", "NH20"):
        make_record("legal_entity", code=code, name=code)
    rows = [{"legal_entity": "NH01"}, {"legal_entity": "NH20"}]
    made = make_record("supplier", extensions=rows, bank_accounts=[{"iban": IBAN}])
    other = make_record("supplier", legal_name="Elsewhere", extensions=[rows[1]], bank_accounts=[{"iban": IBAN}])
    scoped = caller("steward", entities=("NH01",))
    body = scoped.read(f"suppliers/{made.uid}/").json()
    assert [row["legal_entity"] for row in body["extensions"]] == ["NH01"] and body["bank_accounts"]
    body = scoped.read(f"suppliers/{other.uid}/").json()
    assert body["extensions"] == [] and body["bank_accounts"] == []
    assert [r["code"] for r in scoped.read("legal-entities/").json()["results"]] == ["NH01"]
    assert scoped.read("legal-entities/code:NH20/").status_code == 404
    history = json.dumps(scoped.read(f"suppliers/{other.uid}/history/").json())
    assert "NH20" not in history and "DE89" not in history
    for part in ("provenance", "crosswalk", "where-used", "deliveries"):
        assert "NH20" not in json.dumps(scoped.read(f"suppliers/{other.uid}/{part}/").json())


def test_a_token_acts_with_its_own_scopes_only(db):
    make_record("supplier")
    user = person("steward")
    narrow = Caller(token_for(user, ["read:suppliers"]), user)
    assert narrow.read("suppliers/").status_code == 200
    assert narrow.read("payment-terms/").status_code == 403
    assert narrow.post_json("suppliers/", {"legal_name": "X"}).json()["code"] == "missing_scope"
    beyond = Caller(token_for(person("auditor"), ["propose:suppliers", "read:*"]))
    assert beyond.post_json("suppliers/", {"legal_name": "X"}).status_code == 403
