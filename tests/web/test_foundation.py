"""The foundation of the pages: strict content security, complete icons and colours, components, the shell."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.template.loader import get_template, render_to_string
from django.test import RequestFactory

from mdm import ports
from mdm.web import context, diffs, navigation, states
from mdm.web.page import Action, Badge, Confirm, Event, Fact, Link, Notice, Page, Step, Tile
from mdm.web.tables import Cell, Chip, Column, Field, FilterBar, Option, Pager, Row, Table

TEMPLATES = Path(settings.BASE_DIR) / "templates"
STATIC = Path(settings.BASE_DIR) / "mdm" / "static" / "mdm"
ALL = sorted(path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.html"))
SEALED = {"ct": "c2VjcmV0", "kid": "k1", "bix": "ab12", "head": "DE89", "last4": "3000"}


@pytest.mark.parametrize("name", ALL)
def test_template_compiles_and_has_nothing_inline(name: str) -> None:
    source = (TEMPLATES / name).read_text()
    get_template(name)
    assert not re.search(r"<script(?![^>]*\bsrc=)", source), "inline script"
    assert not re.search(r"<style\b|\sstyle=", source), "inline style"
    assert not re.search(r"\son[a-z]+=\"", source), "inline handler"
    assert "http://" not in source.replace("http://www.w3.org", "") and "https://" not in source
    # htmx would need eval for these
    assert not re.search(r"hx-on|hx-vals='js:|hx-trigger=\"[^\"]*\[", source)


def test_pages_say_what_they_need() -> None:
    pages = [name for name in ALL if name.startswith(("web/", "sync/"))]
    assert len(pages) > 30
    for name in pages:
        head = (TEMPLATES / name).read_text()[:400]
        assert "{% comment %}" in head, f"{name} has no comment that names its context"


def icons() -> set[str]:
    return set(re.findall(r'id="i-([a-z]+)"', (STATIC / "icons.svg").read_text()))


def test_every_icon_that_is_named_is_drawn() -> None:
    named = {look.icon for looks in states.LOOKS.values() for look in looks.values() if look.icon}
    named |= {entry.icon for group in (navigation.FIRST, *navigation.REST) for entry in group.entries}
    named |= set(diffs.ICONS.values())
    for name in ALL:
        named |= set(re.findall(r'{% icon "([a-z]+)"', (TEMPLATES / name).read_text()))
    assert named <= icons()


def test_every_tone_has_its_colours_in_both_themes() -> None:
    css = (STATIC / "app.css").read_text()
    tones = {look.tone for looks in states.LOOKS.values() for look in looks.values() if look.tone}
    for tone in tones:
        for use in ("ink", "tint", "line", "solid"):
            assert f"--{tone}-{use}: light-dark(" in css
    # outside the tokens there is no colour
    rules = css.split("@layer base {", 1)[1]
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b", re.sub(r"url\([^)]*\)", "", rules))


def test_unknown_state_reads_as_its_name() -> None:
    assert states.look("half_baked", "request") == states.Look("grey", "draft", "Half baked")


def test_table_stacks_by_labels_and_names_rows() -> None:
    columns = [
        Column(label="Name", sort_url="?s=name", sort="ascending"),
        Column(label="Terms", priority=2),
        Column(label="Sync"),
    ]
    cells = [
        Cell(kind="title", value="A & B", url="/a/"), Cell(value="NET30"),
        Cell(kind="state", value="refused", domain="sync", loud=True),
    ]  # fmt: skip
    table = Table(
        caption="Things",
        columns=columns,
        selectable=True,
        form_id="bulk",
        rows=[Row(uid="7", title="A & B", cells=cells)],
    )
    html = render_to_string("components/table.html", {"table": table})
    assert 'data-label="Terms" class="col-2"' in html and 'data-label="Sync"' not in html
    assert 'aria-sort="ascending"' in html and 'aria-label="Select A &amp; B"' in html and 'form="bulk"' in html


def test_confirm_asks_before_it_posts_and_needs_no_script() -> None:
    ask = Confirm(title="Retire it?", button="Retire", reason_label="Reason", danger=True)
    action = Action(name="retire", label="Retire", url="/retire/", method="post", fields={"to": "x"}, confirm=ask)
    html = render_to_string("components/action.html", {"action": action, "csrf_token": "t0k"})
    assert 'popovertarget="ask-retire"' in html and '<dialog class="dialog" id="ask-retire" popover' in html
    assert 'action="/retire/"' in html and 'name="to" value="x"' in html and "btn--confirm" in html and "t0k" in html


def test_what_is_not_allowed_says_why() -> None:
    html = render_to_string(
        "components/action.html", {"action": Action(label="Withdraw", allowed=False, why_not="maker only")}
    )
    assert 'aria-disabled="true"' in html and "maker only" in html and "href" not in html


SHOWN: list[tuple[str, dict[str, Any], str]] = [
    ("page_head", {"page": Page(title="T<", badges=[Badge(state="active", domain="record")])}, "T&lt;"),
    ("track", {"steps": [Step(title="Steward", state="now", quote="why")]}, 'aria-current="step"'),
    ("events", {"events": [Event(at=datetime.now(UTC), text="came", who="A B")]}, "<b>A B</b> came"),
    ("tiles", {"tiles": [Tile(label="Drift", value=1430, url="/d/")]}, "1,430"),
    ("notice", {"notice": Notice(title="N", action=Link("Fix", "/f/"))}, 'href="/f/"'),
    ("facts", {"facts": [Fact(label="IBAN", value=SEALED)]}, "DE89…3000"),
    ("pager", {"pager": Pager(summary="3 shown", next="?c=1")}, 'rel="next"'),
    (
        "field",
        {"field": Field(name="vat", label="VAT", error="Wrong", help="FR…")},
        'aria-describedby="vat-error vat-help"',
    ),
    (
        "field",
        {"field": Field(name="c", label="C", kind="select", options=[Option(value="a", label="A", selected=True)])},
        "selected",
    ),
    (
        "filters",
        {"filters": FilterBar(subject="Those where", chips=[Chip(words="it is", value="on", remove_url="#")])},
        "Remove filter: it is on",
    ),
]


@pytest.mark.parametrize(("name", "given", "expected"), SHOWN)
def test_component_shows_what_it_is_given(name: str, given: dict[str, Any], expected: str) -> None:
    assert expected in render_to_string(f"components/{name}.html", given)


class Someone:
    is_authenticated = True
    is_staff = False

    def __init__(self, *roles: str) -> None:
        self._mdm_roles = frozenset(roles)

    def get_full_name(self) -> str:
        return "Mara Lindqvist"


def test_rail_leaves_out_pages_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    urls = {"web:dashboard": "/", "web:inbox": "/inbox/", "sync:drift": "/drift/"}
    monkeypatch.setattr(navigation, "url_of", lambda entry: urls.get(entry.view, ""))
    monkeypatch.setattr(ports, "rail", [])
    groups = navigation.rail(Someone("steward"), "/inbox/", {"inbox": 3, "drift": 0})
    links = [link for group in groups for link in group.links]
    assert [(link.label, link.count, link.current) for link in links] == [
        ("Dashboard", None, False), ("Inbox", 3, True), ("Drift", None, False),
    ]  # fmt: skip
    requester = navigation.rail(Someone("requester"), "/", {})
    assert [link.label for group in requester for link in group.links] == ["Dashboard", "Inbox"]


def test_theme_is_drawn_by_the_server_and_only_known_values_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "urls", dict)
    request = RequestFactory().get("/")
    request.COOKIES = {"mdm_theme": "dark", "mdm_rail": '"><script>'}
    request.user = SimpleNamespace(is_authenticated=False)  # type: ignore[assignment]
    shell = context.build(request)
    assert (shell.theme, shell.rail, shell.layout, shell.me) == ("dark", "", "bare.html", None)


@pytest.mark.parametrize("name", ["400.html", "403_csrf.html", "500.html", "maintenance.html"])
def test_error_pages_need_no_context(name: str) -> None:
    assert "<h1>" in get_template(name).render()
