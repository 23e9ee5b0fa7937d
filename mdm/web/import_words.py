"""Words and looks of imports: their states, what becomes of a row, why a row waits, what a column feeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from mdm.models import ImportJob
from mdm.reading.columns import known_paths
from mdm.reading.paths import BadPath, parse
from mdm.reading.row_facts import CURRENCY, GONE, SPEND
from mdm.reading.spec import key_columns
from mdm.registry import RecordType
from mdm.web.page import Source, Tone


class Outcome(NamedTuple):
    """What becomes of a row: a word for tiles and bars, the words that explain it, its tone."""

    name: str
    word: str
    words: str
    tone: Tone


OUTCOMES: tuple[Outcome, ...] = (
    Outcome("new", "New", "a record of its own", "green"),
    Outcome("linked", "Linked", "to a known record", "purple"),
    Outcome("updated", "Changed", "a known record", "blue"),
    Outcome("unchanged", "Same", "as before", "grey"),
    Outcome("candidate", "Candidates", "new, perhaps duplicates", "amber"),
    Outcome("quarantined", "Quarantine", "wait for correction", "red"),
)
NAMES = {one.name: f"{one.word}, {one.words}" for one in OUTCOMES}

CAUSES = {
    "missing": "Value missing",
    "missing_key": "Key missing",
    "invalid_key": "Key not usable",
    "duplicate_key": "Key twice in the file",
    "invalid_country": "Country unknown",
    "invalid_currency": "Currency unknown",
    "invalid_iban": "IBAN wrong",
    "invalid_bic": "BIC wrong",
    "invalid_email": "E-mail wrong",
    "invalid_date": "Date wrong",
    "invalid_boolean": "Neither yes nor no",
    "invalid_integer": "Not a whole number",
    "invalid_number": "Not a number",
    "invalid_tax_number": "Tax number wrong",
    "unknown_value": "Value not mapped",
    "unknown_reference": "Refers to nothing",
    "too_long": "Value too long",
    "cell_too_long": "Cell too long",
    "too_few_columns": "Too few columns",
    "too_many_columns": "Too many columns",
    "bad_json": "Line not readable",
    "bad_encoding": "Characters not readable",
    "literal_error": "Value not allowed",
}


_FACTS = {
    GONE: "Deleted in that system",
    SPEND: "Spend a year (ranks duplicates)",
    CURRENCY: "Currency of the spend",
}


def cause(code: str) -> str:
    return CAUSES.get(code) or code.replace("_", " ").capitalize()


def state_of(job: ImportJob, waiting: int = 0) -> tuple[str, str, str]:
    """(state, domain, words) as a pill: what the import needs next outranks what it is doing."""
    if is_waiting_for_approval(job):
        return "needs_you", "request", "Waits for approval"
    if job.state == "done" and waiting:
        return "quarantine", "import", f"{waiting:,} in quarantine"
    return ("draft" if job.state == "uploaded" else job.state), "import", ""


def is_waiting_for_approval(job: ImportJob) -> bool:
    """Everything is read; the rows are applied once somebody approved the load."""
    return job.state == "queued" and job.change is not None and job.change.state == "in_review"


def mark(job: ImportJob) -> Source:
    return Source(mark=job.system.mark, slot=job.system.tone, title=job.system.title)


def field_name(kind: RecordType, text: str) -> str:
    """A path of a mapping as people name the field: `addresses[registered].city` reads “Address (registered), city”."""
    if text in _FACTS:
        return _FACTS[text]
    try:
        path = parse(text, kind)
    except BadPath:
        return text
    own = kind.labels.get(path.field) or path.field.replace("_", " ")
    place = f" {path.place + 1}" if path.place else ""
    if not path.child:
        return f"{kind.label(path.field)}{place}"
    title = kind.labels.get(path.child) or kind.child(path.child).title
    if not path.selector.isdigit():
        title += f" ({path.selector.replace('_', ' ')})"
    elif int(path.selector):
        title += f" {int(path.selector) + 1}"
    return f"{title}, {own[:1].lower() + own[1:] if own.istitle() else own}{place}"


def columns_of(kind: RecordType, spec: Mapping[str, Any]) -> list[str]:
    """Columns that feed something, the key first, then as the document is ordered: a stored mapping has no order."""
    places = {path: place for place, path in enumerate(known_paths(kind))}
    fed = spec.get("columns", {})
    return [*key_columns(spec), *sorted(fed, key=lambda name: (places.get(fed[name], len(places)), name))]


def size(count: int) -> str:
    if count < 1024:
        return f"{count} bytes"
    return f"{count / 1024:.0f} KB" if count < 1024**2 else f"{count / 1024**2:.1f} MB"
