"""The mapping page of an import: which column feeds what, with samples; what was chosen, read back as a mapping."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.http import QueryDict

from mdm import registry
from mdm.logs import redact
from mdm.models import ImportJob
from mdm.reading import columns as reading
from mdm.reading.paths import CODE, BadPath, parse
from mdm.reading.spec import key_columns
from mdm.registry import RecordType
from mdm.services.rehearsal import Rehearsal
from mdm.types import Problem
from mdm.web import import_pages, import_words
from mdm.web.page import Callout, Tile
from mdm.web.tables import Cell, Column, Field, Option, Row, Table
from mdm.web.values import number

KEY, KEY_AND_CODE, NOTHING = "key", "key+code", ""
MASK = "…"
SHOWN_PROBLEMS = 12
Spec = dict[str, Any]


def rows(
    kind: RecordType, look: Mapping[str, Any], spec: Spec, guessed: Iterable[str], problems: Sequence[Problem]
) -> list[dict[str, Any]]:
    """One row per column of the file: three samples, and the field it feeds."""
    fed = reading.paths_by_column(spec)
    secret = reading.secret_columns(spec, kind)
    wrong = {p.path.removeprefix("columns.").removeprefix("key."): p.message for p in problems if "." in p.path}
    paths = list(dict.fromkeys([*look["paths"], *fed.values()]))
    choices = [(path, import_words.field_name(kind, path)) for path in paths if path != KEY]
    fed |= {name: KEY_AND_CODE for name in key_columns(spec) if spec.get("columns", {}).get(name) == CODE}
    known = set(guessed)
    return [
        {
            "name": column["name"],
            "samples": [_sample(text, column["name"] in secret) for text in column["samples"]],
            "field": _choice(index, fed.get(column["name"], NOTHING), choices, wrong.get(column["name"], "")),
            "recognised": column["name"] in known and column["name"] in fed,
            "note": "" if column["name"] in fed else "kept with the source record, goes no further",
        }
        for index, column in enumerate(look["columns"])
    ]


def _sample(text: str, secret: bool) -> str:
    """Bank numbers never stand on this page, not even where nobody has said yet that a column holds them."""
    if secret:
        return f"{text[:4]}{MASK}{text[-4:]}" if len(text) > 8 else MASK if text else ""
    return redact(text)[:120]


def _choice(index: int, chosen: str, choices: Sequence[tuple[str, str]], error: str) -> Field:
    first = [Option(value=NOTHING, label="– leave out –", selected=chosen == NOTHING),
             Option(value=KEY, label="Key of the row", selected=chosen == KEY),
             Option(value=KEY_AND_CODE, label="Key of the row, and its code here", selected=chosen == KEY_AND_CODE)]  # fmt: skip
    options = [Option(value=path, label=label, selected=path == chosen) for path, label in choices]
    return Field(name=f"map-{index}", label="", kind="select", options=[*first, *options], error=error)


def missing(kind: RecordType, spec: Spec) -> list[str]:
    """Names of needed fields that nothing feeds."""
    fed = {*spec.get("columns", {}).values(), *spec.get("const", {})}
    lists = {child.name for child in kind.children}
    needed = [name for name, info in kind.document.model_fields.items() if info.is_required() and name not in lists]
    names = [kind.label(name) for name in needed if name not in fed]
    return names if key_columns(spec) else ["the key of the row", *names]


# --- the same for every row, and their words for ours --------------------------------------------------------------


def constants(kind: RecordType, spec: Spec, errors: Sequence[Problem] = ()) -> list[Field]:
    given = dict(spec.get("const", {}))
    fed = set(spec.get("columns", {}).values())
    wrong = {p.path.removeprefix("const."): p.message for p in errors if p.path.startswith("const.")}
    fields = [
        Field(
            name=f"const-{path}", id=f"const-{path}", label=import_words.field_name(kind, path), value=_word(value),
            optional=True, error=wrong.get(path, ""), help="Empty: no value for all rows.",
        )
        for path, value in given.items()
    ]  # fmt: skip
    free = [path for path in reading.known_paths(kind) if path not in fed and path not in given]
    options = [
        Option(value="", label="Choose a field"),
        *(Option(value=p, label=import_words.field_name(kind, p)) for p in free),
    ]
    fields.append(Field(name="const-path", label="Another field", kind="select", options=options, optional=True))
    fields.append(Field(name="const-value", label="Its value in every row", optional=True))
    return fields


def value_tables(kind: RecordType, spec: Spec, errors: Sequence[Problem] = ()) -> list[Field]:
    """A box per fed field that names a record or has a table already: their word = ours, a line each."""
    tables = spec.get("values", {})
    fed = dict.fromkeys(spec.get("columns", {}).values())
    wrong = {p.path.removeprefix("values."): p.message for p in errors if p.path.startswith("values.")}
    return [
        Field(
            name=f"values-{path}", id=f"values-{path}", kind="textarea", label=import_words.field_name(kind, path),
            value=as_lines(tables.get(path, {})), optional=True, error=wrong.get(path, ""), help=_table_help(kind, path),
        )
        for path in fed
        if path in tables or _refers_to(kind, path)
    ]  # fmt: skip


def _refers_to(kind: RecordType, text: str) -> RecordType | None:
    try:
        path = parse(text, kind)
    except BadPath:
        return None
    name = f"{path.child}.{path.field}" if path.child else path.field
    found = kind.references.get(name)
    return registry.get(found) if found else None


def _table_help(kind: RecordType, path: str) -> str:
    other = _refers_to(kind, path)
    ours = f"the code of a {other.noun} here" if other else "our value"
    return f"A line each: their value = {ours}. “* = =” keeps every other value as it is."


def as_lines(table: Mapping[str, Any]) -> str:
    return "\n".join(f"{theirs} = {_word(ours)}" for theirs, ours in table.items())


def _word(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def from_lines(text: str, before: Mapping[str, Any]) -> dict[str, Any]:
    """Lines back into a table; an untouched line keeps its value as it was, also a yes or no."""
    kept = {f"{theirs} = {_word(ours)}": (theirs, ours) for theirs, ours in before.items()}
    found: dict[str, Any] = {}
    for line in text.splitlines():
        if line.strip() in kept:
            theirs, ours = kept[line.strip()]
        else:
            theirs, _, ours = (part.strip() for part in line.partition("="))
        if theirs and ours != "":
            found[theirs] = ours
    return found


def read_form(names: Sequence[str], posted: QueryDict, before: Spec) -> Spec:
    """The mapping as the form says it; `names` are the columns of the file in its order."""
    chosen = {name: posted.get(f"map-{index}", "") for index, name in enumerate(names)}
    keys = [name for name, path in chosen.items() if path in (KEY, KEY_AND_CODE)]
    fed = {name: CODE if path == KEY_AND_CODE else path for name, path in chosen.items() if path not in (KEY, NOTHING)}
    const = {
        path: value for path in before.get("const", {}) if (value := _constant(path, posted, before)) not in (None, "")
    }
    if (path := posted.get("const-path", "")) and (value := posted.get("const-value", "").strip()):
        const[path] = value
    old = before.get("values", {})
    tables = {
        path: table
        for path in dict.fromkeys(fed.values())
        if (table := from_lines(posted.get(f"values-{path}", as_lines(old.get(path, {}))), old.get(path, {})))
    }
    return {"key": keys[0] if len(keys) == 1 else keys, "const": const, "columns": fed, "values": tables}


def _constant(path: str, posted: QueryDict, before: Spec) -> Any:
    """An untouched yes or no stays one."""
    old = before["const"][path]
    text = posted.get(f"const-{path}", _word(old)).strip()
    return old if text == _word(old) else text


# --- what would become of the rows -----------------------------------------------------------------------------------


def preview(kind: RecordType, found: Rehearsal) -> dict[str, Any]:
    several = sum(len(line.told) > 1 for line in found.rows_of.values())
    note = (
        f"All {number(found.rows)} rows, rehearsed"
        if found.complete
        else f"The first {number(found.rows)} rows, rehearsed"
    )
    return {
        "proportions": import_pages.proportions(found.counts),
        "tiles": [
            Tile(label=one.word, value=found.counts.get(one.name, 0), note=one.words, tone=one.tone)
            for one in import_words.OUTCOMES
        ],
        "note": f"{note}; {_several(several)}nothing was kept",
        "problems": _problems(kind, found),
    }


def _several(keys: int) -> str:
    if not keys:
        return ""
    return f"{number(keys)} key{'s' * (keys > 1)} with several rows get{'s' * (keys == 1)} periods; "


def about_days(kind: RecordType, spec: Spec) -> list[Callout]:
    """What a file of a dated type will do, as its columns are mapped now."""
    if not kind.periods:
        return []
    fed = {*spec.get("columns", {}).values(), *spec.get("const", {})}
    starts, ends = kind.label("valid_from"), kind.label("valid_to")
    if "valid_from" not in fed:
        text = f"No column feeds “{starts}”. A new key has always been so; of a known one, what differs holds from today on."
    else:
        text = "Rows of one key are its periods, in any order. Of a known key, each row is a change from its day on. "
        if "valid_to" in fed:
            text += (
                f"“{ends}” is the first day on which it does not hold; empty: until its next row, or further notice."
            )
        else:
            text += f"No column feeds “{ends}”: a row holds until the next one of its key."
    return [Callout(title=f"{kind.plural} hold for periods", body=text, tone="blue", icon="calendar")]


def _problems(kind: RecordType, found: Rehearsal) -> Table | None:
    if not found.problems:
        return None
    more = len(found.problems) - SHOWN_PROBLEMS
    head = f"Rows that would wait, {number(more)} more like them" if more > 0 else "Rows that would wait"
    return Table(
        caption=head,
        plain=True,
        columns=[
            Column(label="Row", numeric=True, tight=True),
            Column(label="Key there"),
            Column(label="Why it would stop"),
        ],
        rows=[
            Row(cells=[Cell(kind="number", value=row), Cell(kind="id", value=key), Cell(value=problem.message)])
            for row, key, problem in found.problems[:SHOWN_PROBLEMS]
        ],
    )


def form_errors(job: ImportJob, names: Sequence[str], problems: Iterable[Problem]) -> list[dict[str, str]]:
    place = {name: index for index, name in enumerate(names)}
    found = []
    for problem in problems:
        name = problem.path.removeprefix("columns.").removeprefix("key.")
        target = (
            f"map-{place[name]}" if name in place else problem.path.replace(".", "-", 1) if "." in problem.path else ""
        )
        found.append({"id": target, "text": problem.message})
    return found
