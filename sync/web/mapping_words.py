"""A field rule of a mapping in words: what a field of theirs is made of, what is done to it, and who writes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mdm import registry
from sync.paths import Path
from sync.rules import Rows, Rule

_PLAIN = {
    "first": "the first that has a value",
    "upper": "in capitals",
    "lower": "in small letters",
    "squeeze": "without blanks",
    "alphanumeric": "letters and digits only",
    "text": "as text",
    "int": "as a whole number",
    "days": "as a number of days",
    "iso": "as a day",
    "bool": "as yes or no",
}
_MISSING = {
    "same": "else as it is",
    "empty": "else nothing",
    "skip": "else not sent",
    "error": "every value needs a row",
}
WRITTEN = {"always": "kept the same", "create": "once, when it is created", "never": "never written"}


def sources(kind: registry.RecordType | None, rule: Rule) -> str:
    """`addresses[registered|0].city` as people name it."""
    if not rule.sources:
        return "fixed by the mapping" if rule.steps else "made by the platform"
    return " and ".join(dict.fromkeys(_source(kind, source) for source in rule.sources))


def _source(kind: registry.RecordType | None, source: Path) -> str:
    names = [label(kind, text.strip()) for text in source.text.removeprefix("$.").split(" or ")]
    return ", else ".join(dict.fromkeys(names))


def label(kind: registry.RecordType | None, text: str) -> str:
    """A path of the mapping, `addresses[registered|0].city`: “Address · city (registered)”."""
    name, _, rest = text.removeprefix("$.").partition("[")
    choice, _, tail = rest.partition("]")
    leaf = tail.lstrip(".").partition("[")[0] or name.partition(".")[2]
    name = name.partition(".")[0]
    if kind is None:
        return text
    words = kind.label(f"{name}/x/{leaf}") if leaf and rest else kind.label(name)
    which = "" if choice in ("", "*", "0") or not choice.split("|")[0].isalpha() else f" ({choice.split('|')[0]})"
    return f"{words}{which.replace('_', ' ')}"


def steps(rule: Rule) -> str:
    said = [_step(name, argument) for name, argument in rule.steps]
    if rule.split:
        said.append("cut between words" if rule.split == "words" else "street and house number apart")
    return "; ".join(said)


def _step(name: str, argument: Any) -> str:
    if name == "lookup":
        options = argument if isinstance(argument, Mapping) else {"map": argument}
        return f"looked up in “{options['map']}”, {missing(options)}"
    if name == "join":
        return f"put together with “{' ' if argument is None else argument}”"
    if name == "is":
        return f"true when {' or '.join(map(str, argument['any_of']))}"
    if name == "date":
        return "as a day" if argument is None else "as a moment of OData"
    if name == "last_day":
        return "the day before, the last one on which it holds" + (f"; without a day “{argument}”" if argument else "")
    if name == "in_use":
        return f"“{_said(argument[0])}” while it is active, holds and is not locked, else “{_said(argument[1])}”"
    if name == "bool" and argument:
        return f"“{argument[0]}” or “{argument[1]}”"
    if name == "cut":
        return f"the first {argument} characters"
    if name == "digest":
        return f"a name of {argument} characters made from it"
    if name == "const":
        return "empty" if argument is None else f"always “{argument}”"
    return _PLAIN.get(name, name)


def _said(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def missing(options: Mapping[str, Any]) -> str:
    """What becomes of a value without a row."""
    words = f"else “{options['default']}”" if "default" in options else _MISSING[options.get("missing", "error")]
    unfilled = {"same": "; as it is while the map has no rows", "empty": "; nothing while the map has no rows"}
    return words + unfilled.get(options.get("unfilled", ""), "")


def limits(rule: Rule) -> str:
    """What is checked before anything is sent."""
    said = []
    if any(rule.lengths):
        said.append("at most " + " + ".join(str(length) for length in rule.lengths) + " characters")
    if rule.required:
        said.append("needed")
    if rule.forbid:
        said.append(f"without {' '.join(rule.forbid)}")
    if rule.skip_empty:
        said.append("left alone when empty")
    if rule.when:
        said.append("only when there is one")
    return ", ".join(said)


def written(rule: Rule) -> str:
    return "made by the platform" if rule.derived else WRITTEN[rule.writable]


def rows(kind: registry.RecordType | None, found: Rows) -> str:
    """Which of our rows become rows there."""
    known = next((child.title for child in kind.children if child.name == found.collection), "") if kind else ""
    if found.each.text.endswith("[none]"):
        return "no row of ours goes there"
    only = ", ".join(f"{name} {' or '.join(filter(None, allowed)) or 'empty'}" for name, allowed in found.where.items())
    return f"one row for each of {known.lower() or found.collection}" + (f" with {only}" if only else "")
