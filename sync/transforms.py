"""Owns the closed list of transforms a mapping may name, each with its way back for adopting."""

from __future__ import annotations

import hashlib
import re
from base64 import b32encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sync import value_maps
from sync.errors import NotSupported, Unmapped
from sync.normalise import NORMALISERS, is_empty
from sync.value_maps import NONE

ValueMaps = Mapping[str, Mapping[str, Any]]
SKIP = object()  # a row whose value has no place at this target, by declaration


@dataclass(frozen=True)
class Scope:
    """What a transform may look at besides the value."""

    values: ValueMaps
    path: str
    current: Any = None  # on the way back: what the canonical document holds now


class Unfit(Exception):
    """A value that no transform can make fit; `code` and the message go into a field problem."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def apply(steps: tuple[tuple[str, Any], ...], value: Any, scope: Scope) -> Any:
    for name, argument in steps:
        value = REGISTRY[name][0](value, argument, scope)
        if value is SKIP:
            return SKIP
    return value


def reverse(steps: tuple[tuple[str, Any], ...], value: Any, scope: Scope) -> Any:
    for name, argument in reversed(steps):
        value = REGISTRY[name][1](value, argument, scope)
    return value


def read_steps(declared: Any) -> tuple[tuple[str, Any], ...]:
    """`[upper, {lookup: countries}]` -> ((upper, None), (lookup, countries)); else ValueError."""
    steps = []
    for item in declared if isinstance(declared, list) else [declared] if declared else []:
        name, argument = next(iter(item.items())) if isinstance(item, dict) else (str(item), None)
        if name not in REGISTRY:
            raise ValueError(f"“{name}” is no transform; there are: {', '.join(sorted(REGISTRY))}.")
        steps.append((name, argument))
    return tuple(steps)


# Each transform is `there(value, argument, scope)` and `back(value, argument, scope)`.


def _lookup(value: Any, argument: Any, scope: Scope) -> Any:
    options = argument if isinstance(argument, Mapping) else {"map": argument}
    if is_empty(value):
        return options.get("empty")
    table, key = scope.values.get(options["map"], {}), _key(value)
    if (found := value_maps.find(table, key)) is not NONE:
        return found
    if "default" in options:
        return options["default"]
    missing = _missing(options, table)
    if missing == "error":
        raise Unmapped(path=scope.path, value=key, table=options["map"])
    return {"same": value, "empty": None, "skip": SKIP}[missing]


def _lookup_back(value: Any, argument: Any, scope: Scope) -> Any:
    options = argument if isinstance(argument, Mapping) else {"map": argument}
    if is_empty(value):
        return None
    table = scope.values.get(options["map"], {})
    held = _key(scope.current)
    now = (
        table.get(held, NONE) if is_empty(scope.current) else value_maps.find(table, held)
    )  # a pattern finds no absence
    if now is not NONE and _key(now) == _key(value):
        return scope.current  # several of ours may share one of theirs
    known = value_maps.back(table, lambda theirs: _key(theirs) == _key(value))
    if known:
        return known[0]
    if _missing(options, table) == "same":
        return value
    raise Unmapped(path=scope.path, value=_key(value), table=options["map"])


def _missing(options: Mapping[str, Any], table: Mapping[str, Any]) -> str:
    """What a value without a row becomes; `unfilled` rules as long as the map has no row at all."""
    return str(options["unfilled"] if not table and "unfilled" in options else options.get("missing", "error"))


def _key(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value).strip()


def _join(value: Any, argument: Any, scope: Scope) -> Any:
    items = value if isinstance(value, list) else [value]
    return (" " if argument is None else argument).join(str(item) for item in items if not is_empty(item)) or None


def _join_back(value: Any, argument: Any, scope: Scope) -> Any:
    if not isinstance(scope.current, list):
        return value
    separator = (argument or "").strip(" ")
    if not separator:
        raise NotSupported("Values joined with a blank cannot be taken apart again.")
    return [piece.strip() for piece in str(value or "").split(separator) if piece.strip()]


def _first(value: Any, argument: Any, scope: Scope) -> Any:
    items = value if isinstance(value, list) else [value]
    return next((item for item in items if not is_empty(item)), None)


def _is(value: Any, argument: Any, scope: Scope) -> bool:
    return _key(value) in {_key(item) for item in argument["any_of"]}


def _is_back(value: Any, argument: Any, scope: Scope) -> Any:
    if (NORMALISERS["bool"](value) == "true") == _is(scope.current, argument, scope):
        return scope.current
    return argument["any_of"][0] if NORMALISERS["bool"](value) == "true" else argument["else"]


def _bool(value: Any, argument: Any, scope: Scope) -> Any:
    yes, no = argument or (True, False)
    return yes if not is_empty(value) and NORMALISERS["bool"](value) == "true" else no


def _bool_back(value: Any, argument: Any, scope: Scope) -> Any:
    yes = (argument or (True, False))[0]
    return _key(value).lower() == _key(yes).lower()


def _days(value: Any, argument: Any, scope: Scope) -> Any:
    """`NET30`, `"30"` and 30 are 30 days; `IMMEDIATE` is 0."""
    if is_empty(value):
        return None
    found = re.findall(r"\d+", str(value))
    if not found and str(value).upper() not in {"IMMEDIATE", "DUE"}:
        raise Unfit("days", f"“{value}” is no number of days.")
    return int(found[-1]) if found else 0


def _integer(value: Any, argument: Any, scope: Scope) -> Any:
    try:
        return None if is_empty(value) else int(str(value).strip())
    except ValueError:
        raise Unfit("number", f"“{value}” is no whole number.") from None


def _date(value: Any, argument: Any, scope: Scope) -> Any:
    """ISO day; with `odata` the `/Date(ms)/` of midnight UTC."""
    if is_empty(value):
        return None
    day = NORMALISERS["date"](value)
    if not day:
        return None
    try:
        parsed = date.fromisoformat(day)
    except ValueError:
        raise Unfit("date", f"“{value}” is no date.") from None
    if argument != "odata":
        return day
    moment = datetime(parsed.year, parsed.month, parsed.day, tzinfo=UTC)
    return f"/Date({int(moment.timestamp() * 1000)})/"


def _last_day(value: Any, argument: Any, scope: Scope) -> Any:
    """The hub's days end something before they begin; `argument` stands for no end, else nothing does."""
    day = _date(value, None, scope)
    return argument if day is None else (date.fromisoformat(day) - timedelta(days=1)).isoformat()


def _last_day_back(value: Any, argument: Any, scope: Scope) -> Any:
    day = None if value == argument else _date(value, None, scope)
    return None if day is None else (date.fromisoformat(day) + timedelta(days=1)).isoformat()


def _in_use(value: Any, argument: Any, scope: Scope) -> Any:
    """From a status, a validity and locks: `[yes, no]` of a dated record that is active, holds today and is not locked."""
    (status, validity, *locks), (yes, no) = value, argument
    return yes if (status, validity) == ("active", "current") and not any(locks) else no


def _in_use_back(value: Any, argument: Any, scope: Scope) -> Any:
    raise NotSupported("It follows from the record's status and its periods: block or close the record instead.")


def _digest(value: Any, argument: Any, scope: Scope) -> Any:
    """A short name made from a long one: the same every time, another for another."""
    if is_empty(value):
        return None
    return b32encode(hashlib.sha256(str(value).encode()).digest()).decode()[: int(argument)]


def _cut(value: Any, argument: Any, scope: Scope) -> Any:
    return None if is_empty(value) else str(value)[: int(argument)].rstrip()


def _replace(value: Any, argument: Any, scope: Scope) -> Any:
    """One text for another wherever it occurs: `[from, to]`, for characters that a platform cannot take."""
    return None if is_empty(value) else str(value).replace(*argument)


def _replace_back(value: Any, argument: Any, scope: Scope) -> Any:
    """What ours becomes is still ours; anything else is taken as it is."""
    same = isinstance(scope.current, str) and str(value) == scope.current.replace(*argument)
    return scope.current if same else value


def _keep_case(value: Any, argument: Any, scope: Scope) -> Any:
    """What differs from ours only in the case we changed ourselves is still ours."""
    same = isinstance(scope.current, str) and str(value).casefold() == scope.current.casefold()
    return scope.current if same else value


def _keep_blanks(value: Any, argument: Any, scope: Scope) -> Any:
    same = isinstance(scope.current, str) and str(value) == "".join(scope.current.split())
    return scope.current if same else value


def _text(value: Any, argument: Any, scope: Scope) -> Any:
    return None if is_empty(value) else str(value)


def _as_is(value: Any, argument: Any, scope: Scope) -> Any:
    return value


def _one_way(value: Any, argument: Any, scope: Scope) -> Any:
    raise NotSupported("This field is made from others at the target and cannot be taken over.")


def _on_text(change: Callable[[str], str]) -> Callable[[Any, Any, Scope], Any]:
    return lambda value, argument, scope: None if is_empty(value) else change(str(value))


Step = Callable[[Any, Any, Scope], Any]
REGISTRY: dict[str, tuple[Step, Step]] = {
    "lookup": (_lookup, _lookup_back),
    "join": (_join, _join_back),
    "first": (_first, _as_is),
    "upper": (_on_text(str.upper), _keep_case),
    "lower": (_on_text(str.lower), _keep_case),
    "squeeze": (_on_text(lambda text: "".join(text.split())), _keep_blanks),
    "alphanumeric": (_on_text(lambda text: re.sub(r"[^0-9A-Za-z]", "", text)), _one_way),
    "replace": (_replace, _replace_back),
    "text": (_text, _as_is),
    "int": (_integer, lambda value, argument, scope: _text(value, argument, scope)),
    "days": (
        _days,
        lambda value, argument, scope: None if is_empty(value) else f"NET{_integer(value, None, scope)}",
    ),
    "iso": (_date, lambda value, argument, scope: _date(value, None, scope)),
    "date": (_date, lambda value, argument, scope: _date(value, None, scope)),
    "last_day": (_last_day, _last_day_back),
    "in_use": (_in_use, _in_use_back),
    "is": (_is, _is_back),
    "bool": (_bool, _bool_back),
    "cut": (_cut, _one_way),
    "digest": (_digest, _one_way),
    "const": (lambda value, argument, scope: argument, _one_way),
}
