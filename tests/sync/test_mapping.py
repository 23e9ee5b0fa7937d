"""The mapping engine: rendering, comparing, adopting, splitting; no database, no network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync import normalise, splitting, transforms
from sync.errors import NotSupported, Refused, Unmapped
from sync.mapping import Mapping, load
from sync.transforms import Unfit

DECLARED = """
target: x
values:
  terms: {NET30: Z030, NET31: Z030, IMMEDIATE: "0001"}
  taxes: {"DE:VAT": DE0}
types:
  supplier:
    block: {Head.Blocked: true}
    fields:
      - into: [Head.N1, Head.N2, Head.N3, Head.N4]
        from: legal_name
        split: words
        length: 40
        required: true
      - {field: Head.Terms, from: payment_terms, transform: {lookup: terms}}
      - field: Head.Blocked
        from: status
        transform: {is: {any_of: [blocked, retired], else: active}}
        compare: bool
      - {field: Head.Full, from: legal_name, derived: true}
      - {field: Head.Site, from: website, compare: url, skip_empty: true}
      - {field: Head.Kind, const: "2", writable: create}
      - {field: Head.Days, from: payment_terms, transform: days}
      - {field: Head.Alias, from: "trade_names[*]", transform: {join: "; "}, length: 20}
      - part: Address
        when: "addresses[registered]"
        fields:
          - into: [Street, Number]
            from: "addresses[registered].lines[0]"
            split: house_number
            length: [60, 10]
          - {field: Extra, from: "addresses[registered].lines[1]"}
          - {field: City, from: "addresses[registered].city", length: 40}
          - {field: Country, from: "addresses[registered].country or country"}
      - {field: Mail, from: "contacts[accounts_receivable|0].email", compare: case}
    rows:
      - part: Bank
        each: bank_accounts[*]
        match: [IBAN, [Code, Account]]
        leftover: pair
        fields:
          - {field: IBAN, from: iban, transform: squeeze, compare: iban, sealed: true, length: 34}
          - {field: Code, from: bank_code, skip_empty: true}
          - {field: Account, from: account_number, compare: [identifier, leading_zeros], sealed: true}
          - {field: Until, from: valid_to, transform: {date: odata}, compare: date}
      - part: Tax
        each: tax_registrations[*]
        match: [Type]
        fields:
          - field: Type
            from: ["country or $.country", scheme]
            transform: [{join: ":"}, {lookup: {map: taxes, missing: skip}}]
          - {field: Number, from: number, compare: identifier}
"""

DOCUMENT: dict[str, Any] = {
    "uid": "s1",
    "legal_name": "Müller & Söhne Maschinenbau und Anlagentechnik GmbH & Co. KG",
    "trade_names": ["MSM", "Müller"],
    "status": "active",
    "country": "DE",
    "payment_terms": "NET30",
    "website": None,
    "addresses": [{"uid": "a1", "kind": "registered", "lines": ["Hauptstr. 12a", "Tor 3"], "city": "Köln"}],
    "contacts": [{"uid": "c1", "role": "sales", "email": "Sales@Mueller.example"}],
    "bank_accounts": [
        {"uid": "b1", "iban": "DE89 3704 0044 0532 0130 00"},
        {"uid": "b2", "bank_code": "021000021", "account_number": "0012345", "valid_to": "2026-12-31"},
    ],
    "tax_registrations": [
        {"uid": "t1", "scheme": "VAT", "number": "DE 129.273.398"},
        {"uid": "t2", "country": "US", "scheme": "EIN", "number": "12-3456789"},
    ],
}


@pytest.fixture(scope="module")
def mapping(tmp_path_factory: pytest.TempPathFactory) -> Mapping:
    file = tmp_path_factory.mktemp("mapping") / "mapping.yaml"
    file.write_text(DECLARED, "utf-8")
    return load(file)


def held_by_target(payload: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """What a target would show: its own row ids, and some fields nobody sent."""
    own = {"b1": "0001", "b2": "0002", "t1": "DE0"}
    found = {"Head.Full": "whatever", "Head.CreatedBy": "MIGRATION"}
    for name, value in payload.items():
        for ours, theirs in own.items():
            name = name.replace(f"[{ours}]", f"[{theirs}]")
        found[name] = "" if value is None else value
    return {**found, **changes}


def test_render(mapping: Mapping) -> None:
    payload = mapping.render(DOCUMENT)
    assert payload["Head.N1"] == "Müller & Söhne Maschinenbau und"
    assert payload["Head.N2"] == "Anlagentechnik GmbH & Co. KG"
    assert payload["Head.N3"] is None
    assert payload["Head.Terms"] == "Z030" and payload["Head.Days"] == 30
    assert payload["Head.Blocked"] is False and payload["Head.Kind"] == "2"
    assert "Head.Site" not in payload  # nothing of ours: not sent
    assert (payload["Address.Street"], payload["Address.Number"]) == ("Hauptstr.", "12a")
    assert payload["Address.Country"] == "DE"  # from the record, the address has none
    assert payload["Mail"] == "Sales@Mueller.example"  # the first contact, there is none for receivables
    assert payload["Bank[b1].IBAN"] == "DE89370400440532013000"
    assert payload["Bank[b2].Until"] == "/Date(1798675200000)/"
    assert payload["Tax[t1].Type"] == "DE0"
    assert not any(name.startswith("Tax[t2]") for name in payload)  # no place at this target, by declaration
    assert mapping.sealed_fields == {"Bank[*].IBAN", "Bank[*].Account"}
    assert mapping.is_sealed("Bank[b1].IBAN") and not mapping.is_sealed("Bank[b1].Code")
    assert mapping.sealed_values(payload) == ["DE89370400440532013000", "0012345"]
    assert mapping.parts == ("Head", "Address", "", "Bank", "Tax")


def test_without_an_address_nothing_is_said_about_it(mapping: Mapping) -> None:
    payload = mapping.render({**DOCUMENT, "addresses": []})
    assert not any(name.startswith("Address") for name in payload)


def test_ended_children_are_not_sent(mapping: Mapping) -> None:
    ended = [{**DOCUMENT["bank_accounts"][0], "_end": True}, DOCUMENT["bank_accounts"][1]]
    assert not any(name.startswith("Bank[b1]") for name in mapping.render({**DOCUMENT, "bank_accounts": ended}))


def test_value_maps_of_the_hub_win(mapping: Mapping) -> None:
    assert mapping.render(DOCUMENT, {"terms": {"NET30": "ZZ30"}})["Head.Terms"] == "ZZ30"
    assert mapping.value_maps["terms"]["NET30"] == "Z030"


def test_a_value_without_a_counterpart(mapping: Mapping) -> None:
    with pytest.raises(Unmapped) as caught:
        mapping.render({**DOCUMENT, "payment_terms": "NET77"})
    assert (caught.value.path, caught.value.value, caught.value.table) == ("payment_terms", "NET77", "terms")


def test_every_problem_is_named_at_once(mapping: Mapping) -> None:
    document = {**DOCUMENT, "legal_name": "", "trade_names": ["x" * 30]}
    with pytest.raises(Refused) as caught:
        mapping.render(document)
    assert {(p.field, p.code) for p in caught.value.problems} == {
        ("legal_name", "required"),
        ("trade_names[*]", "too_long"),
    }


def test_a_sealed_number_is_not_shown_in_a_problem(mapping: Mapping) -> None:
    bank = [{"uid": "b1", "iban": "DE" + "9" * 40}]
    with pytest.raises(Refused) as caught:
        mapping.render({**DOCUMENT, "bank_accounts": bank})
    assert "9999" not in caught.value.problems[0].message
    assert caught.value.problems[0].field == "bank_accounts/b1/iban"


def test_what_the_target_holds_is_the_same(mapping: Mapping) -> None:
    payload = mapping.render(DOCUMENT)
    held = held_by_target(payload)
    held["Bank[0001].IBAN"] = "de89 3704 0044 0532 0130 00"
    held["Bank[0002].Account"] = "12345"
    held["Bank[0001].Until"] = "9999-12-31"
    held["Tax[DE0].Number"] = "DE129273398"
    held["Mail"] = "sales@mueller.example"
    held["Head.N1"], held["Head.N2"] = "Müller & Söhne", "Maschinenbau und Anlagentechnik GmbH &"
    held["Head.N3"] = "Co. KG"
    held["Head.Kind"] = "1"  # could not be changed any more: no finding
    held["Head.Site"] = "https://set.there"
    assert mapping.compare(payload, held) == []


def test_differences_are_told_in_our_names(mapping: Mapping) -> None:
    payload = mapping.render(DOCUMENT)
    held = held_by_target(payload)
    held["Head.N2"] = "AG"
    held["Bank[0001].IBAN"] = "DE02120300000000202051"
    held["Tax[FR0].Type"], held["Tax[FR0].Number"] = "FR0", "FR1"
    found = {difference.field: difference for difference in mapping.compare(payload, held)}
    assert set(found) == {"Head.N1", "Bank[b1].IBAN", "Tax[FR0]"}
    assert found["Head.N1"].actual == "Müller & Söhne Maschinenbau und AG"
    assert found["Bank[b1].IBAN"].sealed and found["Bank[b1].IBAN"].path == "bank_accounts/b1/iban"
    assert found["Tax[FR0]"].kind == "extra"
    assert [d.field for d in mapping.compare(payload, held, parts={"Head"})] == ["Head.N1"]


def test_several_left_over_are_missing_and_extra(mapping: Mapping) -> None:
    """Two unknown accounts on each side: nobody can say which is which."""
    payload = mapping.render(DOCUMENT)
    held = {"Bank[0001].IBAN": "DE02120300000000202051", "Bank[0002].IBAN": "DE02500105170137075030"}
    kinds = sorted(d.kind for d in mapping.compare(payload, held, parts={"Bank"}))
    assert kinds == ["extra", "extra", "missing", "missing"]


@pytest.mark.parametrize(
    ("field", "value", "changes"),
    [
        ("Head.N1", "Neu GmbH", [{"path": "legal_name", "value": "Neu GmbH"}]),
        ("Head.Terms", "0001", [{"path": "payment_terms", "value": "IMMEDIATE"}]),
        ("Head.Terms", "Z030", [{"path": "payment_terms", "value": "NET30"}]),
        ("Head.Blocked", True, [{"path": "status", "value": "blocked"}]),
        ("Head.Blocked", False, [{"path": "status", "value": "active"}]),
        ("Head.Site", "neu.example", [{"path": "website", "value": "neu.example"}]),
        ("Head.Alias", "A; B", [{"path": "trade_names", "value": ["A", "B"]}]),
        ("Address.Street", "Ring 5", [{"path": "addresses/a1/lines", "value": ["Ring 5", "Tor 3"]}]),
        ("Address.Extra", "", [{"path": "addresses/a1/lines", "value": ["Hauptstr. 12a"]}]),
        ("Address.Country", "AT", [{"path": "addresses/a1/country", "value": "AT"}]),
        ("Bank[b1].IBAN", "DE02", [{"path": "bank_accounts/b1/iban", "value": "DE02"}]),
        ("Bank[b2].Until", "2027-01-31", [{"path": "bank_accounts/b2/valid_to", "value": "2027-01-31"}]),
        ("Tax[DE0]", None, None),
        (
            "Bank[0009]",
            {"IBAN": "GB33BUKB20201555555555", "Until": "2027-01-31"},
            [
                {
                    "path": "bank_accounts/-",
                    "value": {"iban": "GB33BUKB20201555555555", "valid_to": "2027-01-31"},
                }
            ],
        ),
        ("Bank[b2]", None, [{"path": "bank_accounts/b2", "value": None}]),
    ],
)
def test_adopt(mapping: Mapping, field: str, value: Any, changes: list[dict[str, Any]] | None) -> None:
    if changes is None:
        with pytest.raises(NotSupported):
            mapping.adopt(field, value, DOCUMENT)
    else:
        assert mapping.adopt(field, value, DOCUMENT) == changes


def test_adopt_into_a_child_that_is_not_there_yet(mapping: Mapping) -> None:
    document = {**DOCUMENT, "contacts": []}
    assert mapping.adopt("Mail", "a@b.example", document) == [
        {"path": "contacts/-", "value": {"role": "accounts_receivable", "email": "a@b.example"}}
    ]


@pytest.mark.parametrize("field", ["Head.Full", "Head.Kind", "Head.Unknown", "Bank[gone].IBAN"])
def test_what_cannot_be_adopted(mapping: Mapping, field: str) -> None:
    with pytest.raises(NotSupported):
        mapping.adopt(field, "x", DOCUMENT)


def test_lines_joined_by_a_line_break_are_taken_apart_again() -> None:
    steps = transforms.read_steps({"join": "\n"})
    lines = ["Hafenstrasse 1", "Hof 2"]
    joined = transforms.apply(steps, lines, transforms.Scope({}, "lines"))
    assert joined == "Hafenstrasse 1\nHof 2"
    assert transforms.reverse(steps, joined, transforms.Scope({}, "lines", current=["other"])) == lines


def test_adopting_a_code_we_do_not_know(mapping: Mapping) -> None:
    with pytest.raises(Unmapped):
        mapping.adopt("Head.Terms", "Z999", DOCUMENT)


def test_writable(mapping: Mapping) -> None:
    payload = mapping.render(DOCUMENT)
    assert "Head.Kind" in mapping.writable(payload, creating=True)
    changed = mapping.writable(payload, creating=False)
    assert "Head.Kind" not in changed and "Head.Full" not in changed and "Head.N1" in changed
    assert mapping.block_fields() == {"Head.Blocked": True}


@pytest.mark.parametrize(
    "declared",
    [
        "{field: A, from: b, transform: evaluate}",
        "{field: A, from: b, compare: fuzzy}",
        "{field: A, from: b, hidden: true}",
        "{into: [A, B], from: b}",
        "{field: A, from: 'b[', writable: always}",
        "{field: A, from: b, writable: sometimes}",
    ],
)
def test_a_mapping_with_an_unknown_word_is_refused(tmp_path: Path, declared: str) -> None:
    file = tmp_path / "mapping.yaml"
    file.write_text(f"target: x\ntypes:\n  supplier:\n    fields:\n      - {declared}\n", "utf-8")
    with pytest.raises(ValueError):
        load(file)


# Names: whatever is cut is found again, wherever the cut fell.

WORD = st.text(
    st.characters(whitelist_categories=("Lu", "Ll", "Nd"), whitelist_characters="&.-,'"),
    min_size=1,
    max_size=50,
)
NAME = st.lists(WORD, min_size=1, max_size=14).map(" ".join)
WIDTHS = (40, 40, 40, 40)


@settings(max_examples=400)
@given(NAME)
def test_cut_names_are_put_together_again(name: str) -> None:
    try:
        pieces = splitting.cut_words(name, WIDTHS)
    except Unfit:
        assert len(name) > 100  # may refuse only what is nearly full
        return
    assert len(pieces) == 4 and all(len(piece) <= 40 for piece in pieces)
    assert all(piece == piece.strip() for piece in pieces)  # a target would drop the blanks
    assert splitting.join_words(pieces, WIDTHS) == name


@settings(max_examples=200)
@given(st.lists(WORD.filter(lambda word: len(word) <= 19), min_size=1, max_size=7).map(" ".join))
def test_ordinary_names_always_fit(name: str) -> None:
    """Two words of 19 letters leave a field open; a field filled to its last letter would join without a blank."""
    assert splitting.join_words(splitting.cut_words(name, WIDTHS), WIDTHS) == name


@settings(max_examples=300)
@given(NAME.filter(lambda name: len(name) <= 60))
def test_streets_are_put_together_again(street: str) -> None:
    pieces = splitting.cut("house_number", street, (60, 10))
    assert splitting.put_together("house_number", pieces, (60, 10)) == street


VALUES = st.one_of(st.none(), st.booleans(), st.integers(-(10**12), 10**12), st.text(max_size=40))


@settings(max_examples=300)
@given(VALUES, st.lists(st.sampled_from(sorted(normalise.NORMALISERS)), max_size=3))
def test_comparing_is_reflexive_and_never_fails(value: Any, names: list[str]) -> None:
    assert normalise.same(value, value, names)
    assert normalise.same(value, "x", names) in (True, False)


@settings(max_examples=200)
@given(VALUES, VALUES, st.lists(st.sampled_from(sorted(set(normalise.NORMALISERS) - {"masked"})), max_size=3))
def test_comparing_is_symmetric(left: Any, right: Any, names: list[str]) -> None:
    assert normalise.same(left, right, names) == normalise.same(right, left, names)


@pytest.mark.parametrize(
    ("name", "left", "right"),
    [
        ("leading_zeros", "0000160000", "160000"),
        ("iban", "DE89 3704 0044 0532 0130 00", "de89370400440532013000"),
        ("name_parts", "ACME Hol ding", "ACME Holding"),
        ("date", "/Date(1798675200000)/", "2026-12-31"),
        ("date", "2026-12-31T00:00:00", "2026-12-31"),
        ("date", "9999-12-31", None),
        ("decimal", "10.00", 10),
        ("bool", "X", True),
        ("bool", "", False),
        ("phone", "+49 (0) 221-1", "0049 0 2211"),
        ("url", "https://A.example/", "a.example"),
        ("masked", "DE89370400440532013000", "****3000"),
        ("masked", "DE89370400440532013000", "DE89…3000"),
        ("identifier", "DE 129.273-398", "DE129273398"),
    ],
)
def test_the_same_written_differently(name: str, left: Any, right: Any) -> None:
    assert normalise.same(left, right, [name])
    assert name == "masked" or not normalise.same(left, "something else" if left else "yes", [name])


def test_a_mask_that_does_not_fit_is_a_difference() -> None:
    assert not normalise.same("DE89370400440532013000", "****3001", ["masked"])
    assert not normalise.same("DE89370400440532013000", "****", ["masked"])


# Render, then adopt: what the target holds leads back to what we had.

TEXT = st.text(st.characters(whitelist_categories=("Lu", "Ll", "Nd")), min_size=1, max_size=30)


@settings(max_examples=150, deadline=None)
@given(name=NAME.filter(lambda name: len(name) <= 90), city=TEXT, terms=st.sampled_from(["NET30", "IMMEDIATE"]))
def test_rendered_values_adopt_back(mapping: Mapping, name: str, city: str, terms: str) -> None:
    address = {"uid": "a1", "kind": "registered", "lines": ["Ring 5"], "city": city}
    wanted = {**DOCUMENT, "legal_name": name, "payment_terms": terms, "addresses": [address]}
    payload = mapping.render(wanted)
    found: dict[str, Any] = {}
    for difference in mapping.compare(mapping.render(DOCUMENT), held_by_target(payload)):
        if difference.field != "Head.Days":
            for change in mapping.adopt(difference.field, difference.actual, DOCUMENT):
                found[change["path"]] = change["value"]
    assert found.get("legal_name", DOCUMENT["legal_name"]) == name
    assert found.get("addresses/a1/city", "Köln") == city
    assert found.get("payment_terms", "NET30") == terms
