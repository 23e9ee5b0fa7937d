"""Owns the declared form of a mapping: reads `mapping.yaml` into rules and refuses unknown words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from sync import paths, transforms
from sync.normalise import NORMALISERS

Writable = Literal["always", "create", "never"]
_FIELD_KEYS = {"field", "into", "from", "const", "transform", "split", "length", "forbid", "compare", "note"}
_FIELD_KEYS |= {"derived", "sealed", "required", "skip_empty", "when", "writable"}
_ROWS_KEYS = {"part", "each", "key", "where", "match", "leftover", "extra", "until", "fields", "note"}
_TYPE_KEYS = {"fields", "rows", "block", "children", "note"}


@dataclass(frozen=True)
class Rule:
    """One value on its way to one target field, or to several when it is split."""

    names: tuple[str, ...]  # as in the payload, rows as `[*]`
    leaves: tuple[str, ...]
    sources: tuple[paths.Path, ...]
    steps: tuple[tuple[str, Any], ...]
    split: str
    lengths: tuple[int, ...]  # 0 = no limit
    compare: tuple[str, ...]
    forbid: str
    derived: bool
    sealed: bool
    required: bool
    skip_empty: bool  # nothing of ours here means: neither sent nor compared, instead of: must be empty there
    when: paths.Path | None  # only when this has a value
    writable: Writable

    @property
    def compared(self) -> bool:
        """Only what can be repaired is worth a finding."""
        return not self.derived and self.writable == "always"


@dataclass(frozen=True)
class Rows:
    """A repeated part: which children become rows, and which of the target's rows are the same thing."""

    part: str
    each: paths.Path
    key: str
    where: Mapping[str, tuple[str, ...]]
    match: tuple[tuple[str, ...], ...]
    leftover: Literal["keep", "pair"]
    extra: Literal["report", "ignore"]
    until: str  # the leaf with a row's last day: an ended row that only one side has is no difference
    fields: tuple[Rule, ...]

    @property
    def collection(self) -> str:
        return self.each.steps[0].name

    def rule_of(self, leaf: str) -> Rule | None:
        return next((rule for rule in self.fields if leaf in rule.leaves), None)


@dataclass(frozen=True)
class TypeRules:
    fields: tuple[Rule, ...]
    rows: tuple[Rows, ...]
    block: Mapping[str, Any]
    children: Mapping[str, str]


def read_type(declared: Mapping[str, Any]) -> TypeRules:
    _refuse_unknown(declared, _TYPE_KEYS, "a type")
    return TypeRules(
        fields=tuple(rule for item in declared.get("fields", []) for rule in _read_fields(item)),
        rows=tuple(_read_rows(item) for item in declared.get("rows", [])),
        block=dict(declared.get("block", {})),
        children={**CHILD_KINDS, **declared.get("children", {})},
    )


CHILD_KINDS = {
    "addresses": "kind",
    "tax_registrations": "scheme",
    "identifiers": "scheme",
    "contacts": "role",
    "extensions": "legal_entity",
}


def _read_fields(declared: Mapping[str, Any]) -> list[Rule]:
    """One field, or `{part, when, fields}`: several of one part that share a condition."""
    if "fields" not in declared:
        return [read_rule(declared)]
    _refuse_unknown(declared, {"part", "when", "fields", "note"}, "a part")
    shared = {"when": declared["when"]} if "when" in declared else {}
    return [read_rule({**shared, **item}, declared["part"], row="") for item in declared["fields"]]


def read_rule(declared: Mapping[str, Any], part: str = "", row: str = "[*]") -> Rule:
    _refuse_unknown(declared, _FIELD_KEYS, "a field")
    leaves = tuple(declared.get("into") or [declared["field"]])
    split = str(declared.get("split", ""))
    if bool(split) != (len(leaves) > 1):
        raise ValueError(f"{leaves[0]}: `into` with several fields needs `split`, and the other way round.")
    if split not in ("", "words", "house_number"):
        raise ValueError(f"{leaves[0]}: “{split}” is no way to split.")
    steps = transforms.read_steps(declared.get("transform"))
    if "const" in declared:
        steps = (("const", declared["const"]),)
    sources = declared.get("from", [])
    writable = str(declared.get("writable", "never" if declared.get("derived") else "always"))
    if writable not in ("always", "create", "never"):
        raise ValueError(f"{leaves[0]}: `writable` is always, create or never.")
    return Rule(
        names=tuple(f"{part}{row}.{leaf}" if part else leaf for leaf in leaves),
        leaves=leaves,
        sources=tuple(paths.parse(text) for text in ([sources] if isinstance(sources, str) else sources)),
        steps=steps,
        split=split,
        lengths=_lengths(declared.get("length"), len(leaves)),
        compare=_normalisers(declared.get("compare"), split),
        forbid=str(declared.get("forbid", "")),
        derived=bool(declared.get("derived", False)),
        sealed=bool(declared.get("sealed", False)),
        required=bool(declared.get("required", False)),
        skip_empty=bool(declared.get("skip_empty", False)),
        when=paths.parse(declared["when"]) if declared.get("when") else None,
        writable=cast(Writable, writable),
    )


def _read_rows(declared: Mapping[str, Any]) -> Rows:
    _refuse_unknown(declared, _ROWS_KEYS, "rows")
    part = declared["part"]
    fields = tuple(read_rule(item, part) for item in declared["fields"])
    leaves = {leaf for rule in fields for leaf in rule.leaves}
    match = tuple(tuple(group if isinstance(group, list) else [group]) for group in declared.get("match", []))
    if unknown := {leaf for group in match for leaf in group} - leaves:
        raise ValueError(f"{part}: `match` names fields that are not mapped: {', '.join(sorted(unknown))}.")
    leftover, extra, until = (
        declared.get("leftover", "keep"),
        declared.get("extra", "report"),
        declared.get("until", ""),
    )
    if until and until not in leaves:
        raise ValueError(f"{part}: `until` names a field that is not mapped: {until}.")
    if leftover not in ("keep", "pair") or extra not in ("report", "ignore"):
        raise ValueError(f"{part}: `leftover` is keep or pair, `extra` is report or ignore.")
    where = {
        name: tuple(str(item) for item in (allowed if isinstance(allowed, list) else [allowed]))
        for name, allowed in declared.get("where", {}).items()
    }
    each, key = paths.parse(declared["each"]), declared.get("key", "uid")
    return Rows(part, each, key, where, match, leftover, extra, until, fields)


def _lengths(declared: Any, count: int) -> tuple[int, ...]:
    if isinstance(declared, list):
        return tuple(int(item) for item in declared)
    return (int(declared or 0),) * count


def _normalisers(declared: Any, split: str) -> tuple[str, ...]:
    names = tuple([declared] if isinstance(declared, str) else declared or (["name_parts"] if split else []))
    for name in names:
        if name not in NORMALISERS:
            raise ValueError(f"“{name}” is no normaliser; there are: {', '.join(sorted(NORMALISERS))}.")
    return names


def _refuse_unknown(declared: Mapping[str, Any], known: set[str], what: str) -> None:
    if unknown := set(declared) - known:
        raise ValueError(f"Unknown words in {what} of a mapping: {', '.join(sorted(unknown))}.")
