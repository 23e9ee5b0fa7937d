"""Owns a target's mapping: renders documents, compares with what the target holds, adopts its values.

Pure: no database, no network. Documents given to `render` carry bank numbers in plain text; the engine opens
seals just before, and keeps the rendered payload sealed at rest by `is_sealed`.
"""

from __future__ import annotations

import functools
import hashlib
from collections import Counter
from collections.abc import Collection
from collections.abc import Mapping as Dict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import yaml

from sync import flat, overrides
from sync.adopting import adopt_field, adopt_row
from sync.errors import NotSupported
from sync.normalise import canonical, is_empty, same
from sync.rendering import Found, collect, render
from sync.rules import Rows, Rule, TypeRules
from sync.splitting import put_together
from sync.transforms import ValueMaps

__all__ = ["Difference", "Mapping", "Pairing", "ValueMaps", "load"]


_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same in C, where PyYAML was built with it


@dataclass(frozen=True)
class Difference:
    """One disagreement. `field` names ours (`Bank[<our row>].IBAN`), an extra row is named by theirs.

    For a value split over several fields `field` is the first of them and the values are put together. For a
    missing or extra row `field` is `Part[row]` and the value is the row, leaf -> value.
    """

    field: str
    path: str
    expected: Any
    actual: Any
    kind: Literal["different", "missing", "extra"] = "different"
    sealed: bool = False


@dataclass(frozen=True)
class Pairing:
    """Which of our rows is which of the target's."""

    matched: dict[str, str]
    missing: tuple[str, ...]
    extra: tuple[str, ...]


class Mapping:
    """One record type at one target."""

    def __init__(
        self,
        target: str,
        type: str,
        version: str,
        declared: Dict[str, Any],
        values: ValueMaps,
        own: overrides.Rules | None = None,
    ) -> None:
        self.target, self.type, self.version = target, type, version
        self.declared, self.value_maps = declared, values
        self.rules: TypeRules = overrides.apply(declared, own or {})
        self._by_name: dict[str, tuple[Rule, Rows | None]] = {
            name: (rule, None) for rule in self.rules.fields for name in rule.names
        }
        for rows in self.rules.rows:
            self._by_name.update({name: (rule, rows) for rule in rows.fields for name in rule.names})
        self.sealed_fields = frozenset(name for name, (rule, _) in self._by_name.items() if rule.sealed)

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the target this mapping writes (entity sets, sub-objects); "" is the record itself."""
        return tuple(dict.fromkeys(flat.part_of(name) for name in self._by_name))

    def render(self, document: Dict[str, Any], values: ValueMaps | None = None) -> dict[str, Any]:
        """Flat target field -> value, None when absent. Raises Unmapped or Refused with every problem."""
        return render(self.rules, document, self.with_values(values))

    def collect(self, document: Dict[str, Any], values: ValueMaps | None = None) -> Found:
        """The same with its problems beside it, for people to look at: what could be rendered, and what could not."""
        return collect(self.rules, document, self.with_values(values))

    def with_rules(self, own: overrides.Rules) -> Mapping:
        """This mapping with a target's own field rules on top; ValueError when they make no sense."""
        return Mapping(self.target, self.type, self.version, self.declared, self.value_maps, own) if own else self

    def compare(
        self, expected: Dict[str, Any], actual: Dict[str, Any], *, parts: Collection[str] | None = None
    ) -> list[Difference]:
        """What the target holds otherwise than `expected` says; only `parts`, when given.

        Derived fields and fields that cannot be written any more are never compared.
        """
        found: list[Difference] = []
        for rule in self.rules.fields:
            if parts is None or flat.part_of(rule.names[0]) in parts:
                found += _compare_rule(rule, rule.names[0], _path_text(rule), expected, actual, rule.names)
        for rows in self.rules.rows:
            if parts is None or rows.part in parts:
                found += self._compare_rows(rows, expected, actual)
        return found

    def pair(self, part: str, expected: Dict[str, Any], actual: Dict[str, Any]) -> Pairing:
        """Which rows of ours and of the target's are the same thing, by what `match` declares."""
        rows = next(rows for rows in self.rules.rows if rows.part == part)
        return _pair(rows, flat.rows(expected, part), flat.rows(actual, part))

    def adopt(
        self, field: str, value: Any, document: Dict[str, Any], values: ValueMaps | None = None
    ) -> list[dict[str, Any]]:
        """The canonical changes `{path, value}` that make ours what the target has in `field`.

        `field` and `value` as in a Difference. `addresses/<uid>/city` addresses a child, `bank_accounts/-`
        adds one, and a None at `bank_accounts/<uid>` ends one. Raises NotSupported when there is no way back,
        Unmapped when the target's value is in no value map.
        """
        part, row, leaf = flat.split_name(field)
        rows = next((rows for rows in self.rules.rows if rows.part == part), None)
        if rows is not None and row is not None and not leaf:
            return adopt_row(rows, row, value, document, self.with_values(values))
        rule, rows = self.rule(field)
        kinds = self.rules.children
        return adopt_field(rule, rows, row, value, document, self.with_values(values), kinds)

    def rule(self, field: str) -> tuple[Rule, Rows | None]:
        """The rule behind a target field, rows named or as `[*]`."""
        try:
            return self._by_name[flat.generic_name(field)]
        except KeyError:
            raise NotSupported(f"“{field}” is not mapped.") from None

    def is_sealed(self, field: str) -> bool:
        return flat.generic_name(field) in self.sealed_fields

    def writable(self, payload: Dict[str, Any], *, creating: bool) -> dict[str, Any]:
        """What of a payload may be sent now; fields no rule knows are left out."""
        allowed = ("always", "create") if creating else ("always",)
        found = {name: self._by_name.get(flat.generic_name(name)) for name in payload}
        return {
            name: value
            for name, value in payload.items()
            if (known := found[name]) and not known[0].derived and known[0].writable in allowed
        }

    def block_fields(self) -> dict[str, Any]:
        """What stops posting and purchasing at this target."""
        return dict(self.rules.block)

    def sealed_values(self, payload: Dict[str, Any]) -> list[str]:
        """The plain values of sealed fields, for the evidence to hide."""
        return [str(value) for name, value in payload.items() if value and self.is_sealed(name)]

    def with_values(self, values: ValueMaps | None) -> dict[str, dict[str, Any]]:
        """The default value maps with the hub's rows on top."""
        names = {*self.value_maps, *(values or {})}
        return {name: {**self.value_maps.get(name, {}), **(values or {}).get(name, {})} for name in names}

    def _compare_rows(self, rows: Rows, expected: Dict[str, Any], actual: Dict[str, Any]) -> list[Difference]:
        ours, theirs = flat.rows(expected, rows.part), flat.rows(actual, rows.part)
        pairing = _pair(rows, ours, theirs)
        sealed = any(rule.sealed for rule in rows.fields)
        found: list[Difference] = []
        for our_row, their_row in pairing.matched.items():
            for rule in rows.fields:
                name = flat.join_name(rows.part, our_row, rule.leaves[0])
                path = f"{rows.collection}/{our_row}/{_path_text(rule)}"
                found += _compare_rule(rule, name, path, ours[our_row], theirs[their_row], rule.leaves)
        for row in pairing.missing:
            name, path = flat.join_name(rows.part, row, ""), f"{rows.collection}/{row}"
            found.append(Difference(name, path, ours[row], None, "missing", sealed))
        for row in pairing.extra if rows.extra == "report" else ():
            name = flat.join_name(rows.part, row, "")
            found.append(Difference(name, rows.collection, None, theirs[row], "extra", sealed))
        return found


@functools.lru_cache(maxsize=256)
def load(path: Path, type: str = "") -> Mapping:
    """Read one type of a mapping file; `type` may be left out when the file has only one."""
    text = Path(path).read_text("utf-8")
    declared = yaml.load(text, _LOADER)
    types = declared["types"]
    name = type or next(iter(types))
    if name not in types or (not type and len(types) > 1):
        raise NotSupported(f"{declared['target']} has no mapping for “{type}”; it has: {', '.join(types)}.")
    values = {
        table: {str(ours): theirs for ours, theirs in rows.items()}
        for table, rows in declared.get("values", {}).items()
    }
    version = hashlib.sha256(text.encode()).hexdigest()[:12]
    return Mapping(declared["target"], name, version, types[name], values)


@functools.lru_cache(maxsize=64)
def not_pushable(path: Path) -> Dict[str, str]:
    """Record types that a platform does not take, and why, as its mapping file says."""
    declared = yaml.safe_load(Path(path).read_text("utf-8")).get("not_pushable", {})
    return {str(type): str(reason) for type, reason in declared.items()}


def _compare_rule(
    rule: Rule, name: str, path: str, ours: Dict[str, Any], theirs: Dict[str, Any], keys: tuple[str, ...]
) -> list[Difference]:
    if not rule.compared or not any(key in ours for key in keys):
        return []
    if rule.split:
        left: Any = put_together(rule.split, [ours.get(key) for key in keys], rule.lengths)
        right: Any = put_together(rule.split, [theirs.get(key) for key in keys], rule.lengths)
    else:
        left, right = ours.get(keys[0]), theirs.get(keys[0])
    if same(left, right, rule.compare):
        return []
    return [Difference(name, path, left, right, "different", rule.sealed)]


def _pair(rows: Rows, ours: Dict[str, Dict[str, Any]], theirs: Dict[str, Dict[str, Any]]) -> Pairing:
    matched: dict[str, str] = {}
    for leaves in rows.match:
        free = {
            _identity(rows, leaves, row): name
            for name, row in reversed(list(theirs.items()))
            if name not in matched.values()
        }
        for name, row in ours.items():
            identity = _identity(rows, leaves, row)
            if name not in matched and identity and identity in free:
                matched[name] = free.pop(identity)
        _pair_masked(rows, leaves, ours, theirs, matched)
    missing = [name for name, row in ours.items() if name not in matched and not _ended(rows, row)]
    extra = [name for name, row in theirs.items() if name not in matched.values() and not _ended(rows, row)]
    if rows.leftover == "pair" and len(missing) == 1 and len(extra) == 1:
        # One of ours and one of theirs left over: the same row whose identity was changed on one side.
        matched[missing.pop()] = extra.pop()
    return Pairing(matched, tuple(missing), tuple(extra))


def _pair_masked(
    rows: Rows,
    leaves: tuple[str, ...],
    ours: Dict[str, Dict[str, Any]],
    theirs: Dict[str, Dict[str, Any]],
    matched: dict[str, str],
) -> None:
    """Numbers of which the target shows a part: two rows are one when all that is shown fits, and no other row does."""
    if not any((rule := rows.rule_of(leaf)) and "masked" in rule.compare for leaf in leaves):
        return
    left = [name for name in theirs if name not in matched.values()]
    fits = {
        name: [other for other in left if _fits(rows, leaves, row, theirs[other])]
        for name, row in ours.items()
        if name not in matched
    }
    claims = Counter(other for found in fits.values() for other in found)
    matched.update({name: found[0] for name, found in fits.items() if len(found) == 1 and claims[found[0]] == 1})


def _fits(rows: Rows, leaves: tuple[str, ...], ours: Dict[str, Any], theirs: Dict[str, Any]) -> bool:
    for leaf in leaves:
        rule, left, right = rows.rule_of(leaf), ours.get(leaf), theirs.get(leaf)
        if is_empty(left) or is_empty(right) or not same(left, right, rule.compare if rule else ()):
            return False
    return True


def _ended(rows: Rows, row: Dict[str, Any]) -> bool:
    day = canonical(row.get(rows.until), ("date",)) if rows.until else ""
    return bool(day) and str(day) <= datetime.now(UTC).date().isoformat()


def _identity(rows: Rows, leaves: tuple[str, ...], row: Dict[str, Any]) -> tuple[Any, ...] | None:
    rules = [rows.rule_of(leaf) for leaf in leaves]
    found = tuple(
        canonical(row.get(leaf), rule.compare if rule else ()) for leaf, rule in zip(leaves, rules, strict=True)
    )
    return None if any(is_empty(value) for value in found) else found


def _path_text(rule: Rule) -> str:
    return rule.sources[0].text if rule.sources else ""
