"""What people read: values in words, sealed ones as masks, diffs by part with the changed words marked."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.template.loader import render_to_string

from mdm.registry import ChildType, RecordType, Section
from mdm.types import Change
from mdm.web import diffs, marks, people, values, words
from mdm.web.page import Part
from mdm.web.templatetags import ui

SEALED = {"ct": "c2VjcmV0", "kid": "k1", "bix": "ab12", "head": "DE89", "last4": "3000"}
OTHER = {**SEALED, "bix": "cd34", "head": "LT12", "last4": "1000"}


def child(name: str, title: str, *identity: str) -> ChildType:
    return ChildType(name=name, title=title, model=Any, document=Any, identity=identity, columns=())  # type: ignore[arg-type]


KIND = RecordType(
    key="thing", path="things", title="Thing", plural="Things", model=Any, document=Any,  # type: ignore[arg-type]
    code_prefix="T", name_field="name", icon="file", columns=(),
    sections=(Section("General", ("name", "country")), Section("Paying", ("terms",))), filters={}, search=(),
    children=(child("contacts", "Contacts", "role"), child("accounts", "Accounts")), labels={"iban": "IBAN"},
)  # fmt: skip


@pytest.mark.parametrize(
    ("value", "words_of_it"),
    [
        (None, "empty"),
        ("", "empty"),
        (True, "yes"),
        (False, "no"),
        (1204, "1,204"),
        (12.50, "12.5"),
        ("2026-11-23", "23 Nov 2026"),
        ("2026-11-99", "2026-11-99"),
        (["a", "b"], "a, b"),
        (SEALED, "DE89…3000"),
        ([SEALED, OTHER], "DE89…3000, LT12…1000"),
        ({"uid": "x", "iban": SEALED, "bic": None}, "DE89…3000"),
    ],
)
def test_values_read_as_words_and_sealed_ones_as_masks(value: Any, words_of_it: str) -> None:
    assert values.show(value) == words_of_it


def test_rich_text_escapes_every_piece() -> None:
    html = marks.rich(["<b>no</b> ", Part(text="A & B", url="/x/?a=1&b=2", strong=True)])
    assert html == '&lt;b&gt;no&lt;/b&gt; <b><a href="/x/?a=1&amp;b=2">A &amp; B</a></b>'


def test_undo_only_leads_into_this_site() -> None:
    assert ui.undo_url("undo:/requests/7/undo/") == "/requests/7/undo/"
    assert ui.undo_url("undo:https://evil.example/") == ""
    assert ui.undo_url("undo://evil.example/") == ""
    assert ui.undo_url(None) == ""


@pytest.mark.parametrize(
    ("seconds", "long", "short"),
    [
        (3, "just now", "now"),
        (90, "1 min ago", "1 min"),
        (7200, "2 hours ago", "2 h"),
        (-90000, "in 1 day", "1 d"),
    ],
)
def test_age_in_words(seconds: int, long: str, short: str) -> None:
    assert (values.age(seconds), values.age(seconds, short=True)) == (long, short)


def test_time_carries_the_exact_moment() -> None:
    html = marks.ago(datetime.now(UTC) - timedelta(days=3))
    assert ">3 days ago<" in html and 'title="20' in html and "UTC" in html


def test_people_are_named() -> None:
    assert people.name_of(None) == "The hub"
    assert people.initials("Mara van der Lindqvist") == "ML"
    assert "avatar--system" in marks.person(None) and "TW" in marks.person("Tomasz Wieczorek")


def marked(side: list[words.Word]) -> str:
    return "".join(f"[{word.text}]" if word.changed else word.text for word in side)


@pytest.mark.parametrize(
    ("before", "after", "left", "right"),
    [
        ("pay@northfield.de", "pay@northfie1d.de", "pay@[northfield].de", "pay@[northfie1d].de"),
        ("A GmbH", "A Precision GmbH", "A GmbH", "A [Precision] GmbH"),
        ("+49 7621", "Lyon", "[+49 7621]", "[Lyon]"),
        ("", "new", "", "[new]"),
    ],
)  # fmt: skip
def test_words_that_changed_are_marked(before: str, after: str, left: str, right: str) -> None:
    old, new = words.word_diff(before, after)
    assert (marked(old), marked(new)) == (left, right)


def test_pairs_are_compared_without_regard_to_case() -> None:
    left, right = words.equal_parts("1 E 113THK ST", "1 E 113th Street")
    assert marked(left).startswith("1 E 113TH[K]") and marked(right).startswith("1 E 113th ")


BEFORE = {
    "name": "Northfield", "country": "DE", "terms": "NET30",
    "contacts": [{"uid": "c1", "role": "sales", "email": "a@x.de", "phone": "1"}],
    "accounts": [{"uid": "b1", "iban": SEALED, "holder": "N"}],
}  # fmt: skip


def test_diff_is_grouped_named_and_folded() -> None:
    changes: list[Change | dict[str, Any]] = [
        Change("terms", "NET30", "NET60"),
        {"path": "contacts/c1/email", "before": "a@x.de", "after": "b@x.de"},
        {"path": "accounts/b2", "before": None, "after": {"uid": "b2", "iban": OTHER, "holder": "N"}},
        {"path": "accounts/b1/iban", "before": SEALED, "after": OTHER},
    ]
    diff = diffs.arrange(KIND, changes, before=BEFORE, effective_on=date(2026, 12, 1))
    assert [(group.label, group.note) for group in diff.groups] == [
        ("Paying", "1 field"), ("Contacts", "1 changed"), ("Accounts", "1 added · 1 changed"),
    ]  # fmt: skip
    contact = diff.groups[1].children[0]
    assert contact.label == "sales" and [row.label for row in contact.unchanged] == ["Role", "Phone"]
    assert [row.label for row in diff.unchanged] == ["Name", "Country"]
    added, changed = diff.groups[2].children
    assert added.kind == "added" and added.rows[0].label == "IBAN" and added.rows[0].kind == "added"
    assert changed.rows[0].sealed and changed.rows[0].kind == "changed"
    html = render_to_string("components/diff.html", {"diff": diff})
    assert "DE89…3000" in html and "LT12…1000" in html and SEALED["ct"] not in html and "Holds from 1 Dec 2026" in html


def test_equal_sealed_values_are_no_difference() -> None:
    resealed = {**SEALED, "ct": "b3RoZXI="}
    assert diffs.row("iban", "IBAN", SEALED, resealed).kind == "same"
