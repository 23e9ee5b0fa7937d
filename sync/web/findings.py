"""The table of drift findings: grouped by probable cause, golden beside target, with what can be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Case, Count, IntegerField, QuerySet, Value, When
from django.http import HttpRequest
from django.urls import reverse

from mdm import registry
from mdm.crypto import mask_tree
from mdm.types import Document
from mdm.web import browsing, visitor
from mdm.web.browsing import Filter
from mdm.web.page import Action, Badge, Confirm, Empty, Link
from mdm.web.pointers import request_url
from mdm.web.tables import Cell, Column, Field, Row, Table
from sync.models import DriftFinding, Target
from sync.models.drift import LIVE
from sync.selectors import drift_views, sight
from sync.web import doors, field_words

# cause → (words, what it means for the reader); in the order a steward should look at them
CAUSES: dict[str, tuple[str, str]] = {
    "changed_in_target": ("Changed at the platform", "Somebody changed the value there after we sent ours."),
    "rejected_delivery": ("Refused by the platform", "Our value never got there; see the exception."),
    "mapping_gap": ("No counterpart", "The value map of the platform lacks a row."),
    "not_ours": ("Not ours", "The platform holds a record no key of ours leads to."),
    "several_keys": ("Several keys for one record", "Only one key should be open; the others should be blocked."),
    "pending": ("On its way", "A delivery of this record is under way."),
    "within_grace": ("Just sent", "The platform may still show the old value."),
    "never_pushed": ("Different before we ever sent", "The platform's own value from before; nothing was sent yet."),
}
KINDS = {
    "different": "Different",
    "missing": "Missing there",
    "extra": "Extra there",
    "duplicate_key": "Several keys",
    "unmapped": "No counterpart",
}
COLUMNS = (
    Column(label="Record"),
    Column(label="Field", tight=True),
    Column(label="Target", priority=1, tight=True),
    Column(label="Ours"),
    Column(label="There"),
    Column(label="Since", priority=2, tight=True),
    Column(label="Actions", hidden_label=True, tight=True),
)
ABSENT = {"missing": "not there", "unmapped": "no counterpart there"}
DECIDABLE = ("open", "ignored", "pushed")
FORM = "findings-form"
STATES = [
    ("open", "open"), ("pushed", "being pushed"), ("adopting", "proposed"), ("ignored", "ignored"), ("resolved", "resolved"),
]  # fmt: skip
_ORDER = Case(
    *(When(cause=cause, then=Value(place)) for place, cause in enumerate(CAUSES)),
    default=Value(99),
    output_field=IntegerField(),
)


def listed(request: HttpRequest, rows: QuerySet[DriftFinding]) -> dict[str, Any]:
    """Filters, table and the words for nothing: what both pages of drift show."""
    filters = [
        Filter(name="state", words="state is", options=STATES, default="open", any_label="Not resolved"),
        Filter(name="target", words="target is", options=tuple(Target.objects.values_list("code", "title"))),
        Filter(name="cause", words="cause is", options=tuple((key, words[0]) for key, words in CAUSES.items())),
        Filter(name="kind", words="kind is", options=tuple(KINDS.items())),
        Filter(name="field", words="field is", kind="text"),
        Filter(name="record", words="record is", label="Record (uid)", kind="text"),
    ]
    held = {name: value for name, value in browsing.values_of(request, filters).items() if value}
    words = held.pop("field", "")
    if not held.get("state"):
        rows = rows.filter(state__in=LIVE)
    rows = drift_views.matching(rows, held) if is_uid(held.get("record", "")) else rows.none()
    rows = drift_views.about(rows, words) if words else rows
    asked = any(one.name in request.GET for one in filters)
    text = "Take a filter away." if asked else "Every platform that was looked at holds what the golden records say."
    return {
        "filters": browsing.bar(request, "Findings where", filters),
        "findings": findings_of(request, rows),
        "empty": Empty(title="No finding fits" if asked else "Nothing differs", text=text, icon="ok"),
    }


def is_uid(text: str) -> bool:
    try:
        return not text or bool(UUID(text))
    except ValueError:
        return False


def findings_of(request: HttpRequest, rows: QuerySet[DriftFinding]) -> dict[str, Any]:
    """A page of findings as the template takes it; a heading with its count where the cause changes."""
    part = browsing.cut(request, rows.annotate(place=_ORDER), order=("place", "-pk"), size=50)
    counts = dict(rows.order_by().values_list("cause").annotate(n=Count("pk")))
    returned = _came_back(part.rows)
    documents = field_words.documents(
        (finding.type, finding.record) for finding in part.rows if finding.record and "/" in finding.path
    )
    seen = drift_views.sight_of(part.rows, visitor.entities(request))
    shown: list[Row] = []
    last = ""
    for finding in part.rows:
        if finding.cause != last:
            last = finding.cause
            shown.append(_heading(request, last, counts[last]))
        shown.append(_row(request, finding, finding.pk in returned, documents, hidden=drift_views.hides(finding, seen)))
    may_act = doors.may_act(request)
    table = Table(caption="Findings", columns=COLUMNS, rows=shown, selectable=may_act, form_id=FORM)
    return {
        "table": table,
        "pager": browsing.pager(request, part, "findings"),
        "bulk": _bulk(request) if may_act else [],
        "url": reverse("sync:findings-decide"),
    }


def _heading(request: HttpRequest, cause: str, count: int) -> Row:
    words, meaning = CAUSES[cause]
    all_ = None
    if request.GET.get("cause") != cause:
        all_ = Link(f"Show all {count:,}", visitor.changed_query(request, cause=cause))
    return Row(cells=(), group=words, group_note=meaning, group_count=count, group_link=all_)


def _came_back(found: Sequence[DriftFinding]) -> set[int]:
    """Findings whose very difference was resolved before; one query."""
    identity = {(f.target_id, f.type, f.target_key, f.kind, f.field): f.pk for f in found}
    earlier = DriftFinding.objects.filter(
        state="resolved",
        target__in={f.target_id for f in found},
        target_key__in={f.target_key for f in found},
        field__in={f.field for f in found},
    ).exclude(cause="never_pushed")
    rows = earlier.values_list("target_id", "type", "target_key", "kind", "field")
    return {identity[row] for row in rows if row in identity}


def _row(
    request: HttpRequest, finding: DriftFinding, returned: bool, documents: Mapping[str, Document], *, hidden: bool
) -> Row:
    label = finding.label or f"Key {finding.target_key}"
    return Row(
        uid=str(finding.uid) if finding.state in DECIDABLE and not hidden else "",
        title=label,
        cells=[
            Cell(
                value=label,
                kind="title",
                url=doors.record_link(finding.type, finding.record),
                sub=finding.target_key if finding.label else "",
                badges=_badges(finding, returned),
            ),
            Cell(value=_field(finding, documents)),
            Cell(value=finding.target.title),
            *_values(finding, hidden),
            Cell(value=finding.first_seen_at, kind="time"),
            Cell(
                kind="actions", actions=[] if hidden else _actions(request, finding), note=f"What to do about {label}"
            ),
        ],
    )


def _values(finding: DriftFinding, hidden: bool) -> list[Cell]:
    if hidden:
        return [Cell(value="", note=sight.HIDDEN), Cell(value="", note="hidden")]
    ours, theirs = Cell(value=_ours(finding)), Cell(value=_theirs(finding), kind="differs")
    if finding.kind in ABSENT:
        theirs = Cell(value="", note=ABSENT[finding.kind])
    elif finding.shape == "row_missing":
        theirs = Cell(value="", note="not there")
    if finding.kind == "extra" or finding.shape == "row_extra":
        ours = Cell(value="", note="not here")
    return [ours, theirs]


def _field(finding: DriftFinding, documents: Mapping[str, Document]) -> str:
    """What differs, in the words of the record; of a row of it, which one."""
    if not finding.field:
        return KINDS[finding.kind]
    if "/" in finding.path and finding.record:
        return field_words.of_path(registry.get(finding.type), finding.path, documents.get(str(finding.record), {}))
    return drift_views.field_words(finding.type, finding.path, finding.kind)


def _badges(finding: DriftFinding, returned: bool) -> list[Badge]:
    found = [Badge(label="Back again", tone="amber", icon="undo", outline=True)] if returned else []
    if finding.state == "adopting" and finding.change:
        found.append(Badge(label=finding.change.number, tone="blue", icon="half", url=request_url(finding.change)))
    elif finding.state == "pushed" and finding.delivery:
        url = reverse("sync:delivery", args=[finding.delivery.uid])
        found.append(Badge(state="pushed", domain="finding", url=url))
    elif finding.state == "ignored":
        until = f" until {finding.ignored_until:%d %b %Y}" if finding.ignored_until else ""
        found.append(Badge(state="ignored", domain="finding", label=f"Ignored{until}: {finding.reason[:60]}"))
    elif finding.state != "open":
        found.append(Badge(state=finding.state, domain="finding"))
    return found


def _ours(finding: DriftFinding) -> Any:
    if finding.kind == "missing" and isinstance(finding.golden, dict) and "version" in finding.golden:
        return f"version {finding.golden['version']}"
    return _plain(finding.golden) if finding.shape != "block" else _blocked(finding.golden)


def _theirs(finding: DriftFinding) -> Any:
    return _plain(finding.target_value) if finding.shape != "block" else _blocked(finding.target_value)


def _blocked(value: Any) -> Any:
    """Whether a key is closed there; a bare yes or no says nothing."""
    return ("blocked" if value else "open") if isinstance(value, bool) else _plain(value)


def _plain(value: Any) -> Any:
    """A short word for a value; whole records and rows are summed up, bank numbers masked."""
    value = mask_tree(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, dict):
        said = [str(v) for v in _leaves(value) if v not in (None, "", False)]
        return ", ".join(said[:4])[:120] or None
    return str(value)[:160]


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value]


# --- what can be done -------------------------------------------------------------------------------------------------


def _ignore(many: bool) -> Confirm:
    return Confirm(
        title="Ignore these differences?" if many else "Ignore this difference?",
        body="What is there stays there and is not counted as drift. With a date it comes back after that day.",
        button="Ignore",
        reason_label="Why this is all right",
        fields=(Field(name="until", label="Until", kind="date", optional=True, help="Empty: until it changes."),),
    )


def _actions(request: HttpRequest, finding: DriftFinding) -> list[Action]:
    if finding.state not in DECIDABLE:
        return []
    url = reverse("sync:findings-decide")

    def action(what: str, label: str, icon: str, why_not: str = "", confirm: Confirm | None = None) -> Action:
        fields = {"do": what, "uid": str(finding.uid)}
        return doors.action(
            request, label=label, name=f"{what}-{finding.pk}", url=url, icon=icon, fields=fields, confirm=confirm,
            allowed=not why_not, why_not=why_not,
        )  # fmt: skip

    return [
        action("push", "Push ours", "send", _no_push(finding)),
        action("adopt", "Adopt theirs", "pencil", _no_adopt(finding)),
        action("ignore", "Ignore", "clock", confirm=_ignore(many=False)),
    ]


def _no_push(finding: DriftFinding) -> str:
    if finding.record is None:
        return "there is nothing of ours to push"
    return "a value has no counterpart there yet" if finding.kind == "unmapped" else ""


def _no_adopt(finding: DriftFinding) -> str:
    if finding.record is None:
        return "import it from its system first"
    return "it is about the whole record" if finding.shape in ("record", "block") or finding.kind == "unmapped" else ""


def _bulk(request: HttpRequest) -> list[Action]:
    """Buttons of the shared form: what they do stands in their address, which also brings the reader back."""
    back = {"next": request.get_full_path()}

    def action(what: str, label: str, icon: str, confirm: Confirm | None = None) -> Action:
        url = f"{reverse('sync:findings-decide')}?{urlencode({'do': what, **back})}"
        return Action(label=label, name=f"{what}-many", url=url, icon=icon, method="post", confirm=confirm)

    return [
        action("push", "Push ours", "send"),
        action("adopt", "Adopt theirs", "pencil"),
        action("ignore", "Ignore", "clock", _ignore(many=True)),
    ]
