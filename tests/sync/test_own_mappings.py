"""A target's own mapping: what is refused, what a version says, how it is taken back and carried elsewhere, and what it does."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from django.db import InternalError, ProgrammingError, transaction

from mdm.errors import CorrectInput, NotAllowed, NotNow
from mdm.models import AuditEntry
from mdm.selectors.records import current_document
from mdm.types import Actor
from sync.errors import Refused, Unmapped
from sync.models import FieldRule, MappingVersion, Target, ValueMapRow
from sync.payloads import renderer
from sync.selectors import mapping_views
from sync.selectors.mapping_views import DROP, FIELDS
from sync.services import mappings
from tests.people import actor
from tests.sync import world

pytestmark = pytest.mark.django_db
TERMS, SUPPLIER = "payment_terms", FIELDS + "supplier"


@pytest.fixture
def target() -> Target:
    world.allow_everything()
    return world.target("coupa", "http://127.0.0.1:9")


@pytest.fixture
def mara() -> Actor:
    return actor("mara", "steward")


def rows(target: Target) -> dict[str, str]:
    return dict(ValueMapRow.objects.filter(target=target, table=TERMS).values_list("ours", "theirs"))


def test_a_change_is_a_version_that_says_who_changed_what(target, mara):
    made = mappings.change(
        target, {(TERMS, " NET37 "): " Net 37 ", (TERMS, "NET30"): "Thirty"}, by=mara, note="New terms"
    )
    assert (made.number, made.by, made.note) == (1, mara.name, "New terms")
    assert [(change["name"], change["after"]) for change in made.changes] == [("NET30", "Thirty"), ("NET37", "Net 37")]
    assert rows(target) == {"NET30": "Thirty", "NET37": "Net 37"}
    assert mappings.change(target, {(TERMS, "NET30"): "Thirty"}, by=mara) is None, "what is so already is no version"
    second = mappings.change(target, {(TERMS, "NET30"): DROP}, by=mara)
    assert second.number == 2 and rows(target) == {"NET37": "Net 37"}
    logged = AuditEntry.objects.filter(action="value_map.changed")
    assert logged.count() == 2 and logged.order_by("pk")[0].detail["version"] == 1


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({("colours", "red"): "rot"}, "No field looks into a map"),
        ({(TERMS, ""): "Net 30"}, "Give both"),
        ({(TERMS, "NET30"): "  "}, "Give both"),
        ({(TERMS, "NET30"): "x" * 201}, "At most 600"),
        ({(TERMS, "NET30"): ["Net 30"]}, "Give both"),
        ({(SUPPLIER, "name"): {"colour": "red"}}, "cannot be changed here"),
        ({(SUPPLIER, "name"): {"transform": "shout"}}, "no transform"),
        ({(SUPPLIER, "name"): {"compare": ["case"]}}, "cannot be changed here"),
        ({(SUPPLIER, "name"): None}, "cannot be left out"),
        ({(SUPPLIER, "nose"): None}, "no field nose"),
        ({(SUPPLIER, "id"): None}, "made by the platform"),
        ({(FIELDS + "payment_term", "name"): None}, "takes no payment term"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(target, mara, wanted: Any, words: str):
    wanted = {**wanted, (TERMS, "NET60"): "Net 60 days"}  # all or nothing
    with pytest.raises(CorrectInput) as caught:
        mappings.change(target, wanted, by=mara)
    assert words in caught.value.message + "".join(problem.message for problem in caught.value.problems)
    assert not MappingVersion.objects.exists() and not ValueMapRow.objects.exists() and not FieldRule.objects.exists()


def test_only_who_answers_for_the_data_may(target):
    for role in ("operator", "requester", "auditor"):
        with pytest.raises(NotAllowed):
            mappings.change(target, {(TERMS, "NET30"): "x"}, by=actor(f"a-{role}", role))
    assert mappings.change(target, {(TERMS, "NET30"): "x"}, by=actor("aiko", "governance"))


def test_two_people_at_once_do_not_overwrite_each_other_unseen(target, mara):
    mappings.change(target, {(TERMS, "NET30"): "a"}, by=mara, base=0)
    with pytest.raises(NotNow, match="meanwhile"):
        mappings.change(target, {(TERMS, "NET30"): "b"}, by=mara, base=0)
    assert rows(target) == {"NET30": "a"}


def test_going_back_is_a_version_too_and_reaches_any_earlier_state(target, mara):
    states = [{}]
    for wanted in (
        {(TERMS, "NET30"): "a"},
        {(TERMS, "NET60"): "b"},
        {(TERMS, "NET30"): DROP, (SUPPLIER, "website"): None},
    ):
        mappings.change(target, wanted, by=mara)
        states.append(mapping_views.state_of(target))
    for number, state in enumerate(states):
        assert mapping_views.state_at(target, number) == state
    made = mappings.revert(target, number=1, by=mara)
    assert made.number == 4 and mapping_views.state_of(target) == states[1]
    assert mapping_views.state_at(target, 3) == states[3], "nothing of the past is lost"
    with pytest.raises(CorrectInput):
        mappings.revert(target, number=9, by=mara)


@pytest.mark.database
def test_versions_cannot_be_rewritten(target, mara):
    made = mappings.change(target, {(TERMS, "NET30"): "a"}, by=mara)
    for rewrite in (
        lambda: MappingVersion.objects.filter(pk=made.pk).update(by="somebody else"),
        lambda: MappingVersion.objects.filter(pk=made.pk).delete(),
    ):
        with pytest.raises((InternalError, ProgrammingError)), transaction.atomic():
            rewrite()


def test_a_file_carries_the_mapping_to_another_installation(target, mara):
    wanted = {
        (TERMS, "NO"): "010",
        (TERMS, "1e3"): "yes",
        (SUPPLIER, "website"): None,
        (SUPPLIER, "name"): {"length": 50},
    }
    mappings.change(target, wanted, by=mara)
    text = mapping_views.to_file(target)
    other = world.target("coupa-2", "http://127.0.0.1:9", connector="coupa")
    mappings.change(other, {(TERMS, "OLD"): "gone"}, by=mara)
    planned = mappings.plan(other, mappings.whole(other, mapping_views.from_file(other, text)))
    assert {(row["name"], row["after"] == mapping_views._NO_ROW) for row in planned} == {
        ("NO", False), ("1e3", False), ("website", False), ("name", False), ("OLD", True),
    }  # fmt: skip
    assert rows(other) == {"OLD": "gone"}, "a look changes nothing"
    mappings.change(other, mappings.whole(other, mapping_views.from_file(other, text)), by=mara)
    assert mapping_views.state_of(other) == mapping_views.state_of(target) == wanted
    json_text = yaml.safe_dump(yaml.load(text, Loader=mapping_views._Texts), default_flow_style=True)
    assert mapping_views.from_file(other, json_text) == wanted


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("values: [", "neither YAML nor JSON"),
        ("\0", "neither YAML nor JSON"),
        ("a list", "no exported mapping"),
        ("connector: s4hana\nvalues: {}", "for s4hana, not for coupa"),
        ("connector: coupa\nvalues: [a]", "no mapping"),
        ("connector: coupa\nvalues: {payment_terms: {A: !!python/object:os.system {}}}", "neither YAML nor JSON"),
    ],
)
def test_a_file_that_is_none_is_told(target, text: str, words: str):
    with pytest.raises(CorrectInput, match=words):
        mapping_views.from_file(target, text)


def test_a_field_rule_changes_what_is_sent_and_what_is_checked(target, mara):
    uid = world.supplier(website="https://nordlicht.example", trade_names=["Nordlicht"])
    document = current_document("supplier", uid)
    before = renderer(target, "supplier")
    assert {"website", "display-name"} <= set(before.render(document))
    mappings.change(target, {(SUPPLIER, "website"): None, (SUPPLIER, "name"): {"from": "trade_names[0]"}}, by=mara)
    after = renderer(target, "supplier")
    payload = after.render(document)
    assert "website" not in payload and payload["name"] == "Nordlicht" and before.version != after.version
    held = {**before.render(document), "name": "Nordlicht", "website": "https://somebody-else.example"}
    assert after.mapping.compare(payload, held) == [], "what is left out is not compared either"
    mappings.change(target, {(SUPPLIER, "name"): {"length": 5}}, by=mara)
    with pytest.raises(Refused, match="longer than the 5"):
        renderer(target, "supplier").render(document)


def test_gaps_are_values_in_use_without_counterpart(target, mara):
    for code in ("NET37", "NET38"):
        world.propose("payment_term", {"code": code, "name": code, "net_days": int(code[3:])})
    world.supplier(legal_name="One GmbH", payment_terms="NET37")
    world.supplier(legal_name="Two GmbH", payment_terms="NET37")
    uid = world.supplier(legal_name="Three GmbH", payment_terms="NET38")
    found = mapping_views.survey(target)
    assert (found.looked_at, found.complete) == (3, True)
    assert found.gaps == {(TERMS, "NET37"): 2, (TERMS, "NET38"): 1}
    with pytest.raises(Unmapped):
        renderer(target, "supplier").render(current_document("supplier", uid))
    mappings.change(target, {(TERMS, "NET37"): "Net 37", (TERMS, "NET38"): "Net 38"}, by=mara)
    assert mapping_views.survey(target).gaps == {}
    target.subscriptions.update(filter={"country": "FR"})
    assert mapping_views.survey(target).looked_at == 0
