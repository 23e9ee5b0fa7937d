"""Readable cases: what is linked, what a person looks at, what is left apart, and with which flags."""

import pytest

from mdm.matching import Engine
from mdm.matching.config import ALL_RULES, NUMBER_CONFLICT, OTHER_NAME, SHARED_BANK, SIBLING, TAX_ID_CONFLICT
from tests.mdm.matching.configs import blind_index, site_config, supplier_config
from tests.mdm.matching.documents import supplier

engine = Engine(supplier_config(), hasher=blind_index)
MUNICH = {"street": "Hauptstr. 12", "postcode": "80331", "city": "München"}
CALL = {"phone": "+49 89 1234567"}
IBAN = "DE89370400440532013000"

CASES = [
    (
        "one firm, two ways of writing everything",
        supplier("Müller Maschinenbau GmbH", "DE", **MUNICH, **CALL),
        supplier("MUELLER MASCHINENBAU G.M.B.H.", "DE", street="Hauptstraße 12", postcode="D-80331",
                 city="Munich", phone="089/1234567"),
        "link", set(),
    ),
    (
        "same tax id, written with and without its prefix",
        supplier("Orion Verpackung GmbH", "DE", vat="DE136695976"),
        supplier("Orion Verpackungen", "DE", vat="136 695 976"),
        "link", set(),
    ),
    (
        "same tax id, other name: a person should see that",
        supplier("Brightside Foods Ltd", "GB", vat="GB434031494"),
        supplier("Completely Other Name", "GB", vat="434031494"),
        "review", {OTHER_NAME},
    ),
    (
        "everything agrees but two valid tax ids differ: never linked",
        supplier("Orion Verpackung GmbH", "DE", vat="DE136695976", web="orion.de", **MUNICH, **CALL),
        supplier("Orion Verpackung GmbH", "DE", vat="DE129273398", web="orion.de", **MUNICH, **CALL),
        "none", {TAX_ID_CONFLICT, SIBLING},
    ),
    (
        "an invalid tax id does not veto",
        supplier("Orion Verpackung GmbH", "DE", vat="DE136695976", web="orion.de", **MUNICH, **CALL),
        supplier("Orion Verpackung GmbH", "DE", vat="DE111111112", web="orion.de", **MUNICH, **CALL),
        "link", set(),
    ),
    (
        "a group's companies in two countries",
        supplier("Acme Deutschland GmbH", "DE", web="acme.com"),
        supplier("Acme France SAS", "FR", web="www.acme.com"),
        "none", {SIBLING},
    ),
    (
        "two divisions in one head office",
        supplier("Siemens Energy GmbH", "DE", web="siemens.com", **MUNICH, **CALL),
        supplier("Siemens Healthcare GmbH", "DE", web="siemens.com", **MUNICH, **CALL),
        "review", {SIBLING},
    ),
    (
        "numbered funds at one address",
        supplier("Alpha Fund II GmbH", "DE", **MUNICH, **CALL),
        supplier("Alpha Fund IV GmbH", "DE", **MUNICH, **CALL),
        "none", {NUMBER_CONFLICT, SIBLING},
    ),
    (
        "numbered funds that agree in everything else: never linked",
        supplier("Alpha Fund II GmbH", "DE", web="alpha.com", iban=IBAN, **MUNICH, **CALL),
        supplier("Alpha Fund IV GmbH", "DE", web="alpha.com", iban=IBAN, **MUNICH, **CALL),
        "review", {NUMBER_CONFLICT, SIBLING},
    ),
    (
        "north and south",
        supplier("Novak Logistics North Ltd", "GB", street="1 High St", postcode="LS1 1AA", city="Leeds"),
        supplier("Novak Logistics South Ltd", "GB", street="1 High St", postcode="LS1 1AA", city="Leeds"),
        "none", {NUMBER_CONFLICT, SIBLING},
    ),
    (
        "the roman and the arabic number are one",
        supplier("Alpha Fund IV GmbH", "DE", **MUNICH, **CALL),
        supplier("Alpha Fund 4", "DE", **MUNICH, **CALL),
        "link", set(),
    ),
    (
        "namesakes in two cities",
        supplier("Keller AG", "CH", street="Bahnhofstrasse 1", postcode="8001", city="Zürich"),
        supplier("Keller AG", "CH", street="Bundesgasse 9", postcode="3011", city="Bern"),
        "none", set(),
    ),
    (
        "one account under two names is a warning, no evidence",
        supplier("Hofmann Druck GmbH", "DE", iban=IBAN),
        supplier("Zulu Trading Ltd", "DE", iban="DE89 3704 0044 0532 0130 00"),
        "none", {SHARED_BANK},
    ),
    (
        "one account under one name",
        supplier("Hofmann Druck GmbH", "DE", iban=IBAN, **CALL),
        supplier("Hoffmann Druck", "DE", iban=IBAN, **CALL),
        "link", set(),
    ),
    ("Cyrillic and Latin", supplier("Gazprom JSC", "RU"), supplier("ОАО Газпром", "RU"), "review", set()),
    (
        "Greek and Latin",
        supplier("Παπαδόπουλος ΑΕ", "GR"),
        supplier("Papadopoulos S.A.", "GR"),
        "review", set(),
    ),
    (
        "initials at one address",
        supplier("International Business Machines Corp", "US", street="1 New Orchard Rd", postcode="10504"),
        supplier("IBM", "US", street="1 New Orchard Road", postcode="10504-1722"),
        "review", set(),
    ),
    (
        "known under another name",
        supplier("Kessler Handels GmbH", "DE", alias="Quickparts", **MUNICH),
        supplier("Quickparts", "DE", **MUNICH),
        "link", set(),
    ),
    ("strangers", supplier("Weber GmbH", "DE"), supplier("Schmidt AG", "DE"), "none", set()),
    ("nothing known", supplier(""), supplier(""), "none", set()),
]  # fmt: skip


@pytest.mark.parametrize(("title", "left", "right", "band", "flags"), CASES, ids=[case[0] for case in CASES])
def test_cases_fall_into_their_band(title, left, right, band, flags):
    score = engine.compare(engine.features(left), engine.features(right))
    assert (score.band, set(score.flags)) == (band, flags), engine.why(score) + engine.why_not(score)


def test_a_person_having_confirmed_something_raises_the_bar():
    _, left, right, *_ = CASES[0]
    score = engine.compare(engine.features(left), engine.features(right), confirmed=True)
    assert score.band == "review"
    assert engine.band(score) == "link"


def test_hard_rules_can_be_switched_off():
    left = supplier("Alpha Fund II GmbH", "DE", vat="DE136695976", web="alpha.com", iban=IBAN, **MUNICH, **CALL)
    right = supplier("Alpha Fund IV GmbH", "DE", vat="DE136695976", web="alpha.com", iban=IBAN, **MUNICH, **CALL)
    lax = Engine(supplier_config(rules=frozenset()), hasher=blind_index)
    assert engine.compare(engine.features(left), engine.features(right)).band == "review"
    assert lax.compare(lax.features(left), lax.features(right)).band == "link"
    with pytest.raises(ValueError, match="unknown matching rules: typo"):
        supplier_config(rules=ALL_RULES | {"typo"})


def test_bank_warnings_survive_the_threshold():
    mine = engine.features(supplier("Hofmann Druck GmbH", "DE", iban=IBAN))
    other = engine.features(supplier("Zulu Trading Ltd", "GB", iban=IBAN))
    assert engine.rank(mine, [("zulu", other)]) == []
    [(id_, score)] = engine.bank_warnings(mine, [("zulu", other)])
    assert (id_, score.band) == ("zulu", "none")


def test_a_site_is_its_address():
    sites = Engine(site_config())
    left = sites.features(supplier("North Avenue Day Nursery", street="2001 W. Pierce Ave", postcode="60622"))
    right = sites.features(supplier("Pierce Head Start", street="2001 West Pierce", postcode="60622"))
    next_door = sites.features(supplier("North Avenue Day Nursery", street="2117 W Pierce", postcode="60622"))
    assert sites.compare(left, right).band != "none"
    assert sites.compare(left, next_door).band == "none"
