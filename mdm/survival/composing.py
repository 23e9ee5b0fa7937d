"""The golden document of one record: every field, row and group from its sources, with where each value came from."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mdm import periods
from mdm.registry import ChildType, RecordType
from mdm.survival import rules as rule_words
from mdm.survival.choosing import EMPTY, Choice, Offer, choose
from mdm.survival.rules import HUB, Rules
from mdm.types import Document, comparable, same


@dataclass(frozen=True)
class Source:
    """One source record: `since` is when it was received. `left`: the system no longer has it, so it speaks last."""

    system: str
    key: str
    document: Document
    since: str
    left: bool = False


@dataclass(frozen=True)
class Held:
    """A pin: the value its block keeps. `known` False: pinned before values were kept, so the one that holds now."""

    value: Any
    since: str = ""
    known: bool = True


@dataclass
class Survived:
    """`where`: {path: origin}. `free`: {pinned block: what would survive without the pin}, for blocks that exist."""

    body: Document = field(default_factory=dict)
    where: dict[str, Any] = field(default_factory=dict)
    free: dict[str, Any] = field(default_factory=dict)


def identity(child: ChildType, row: Mapping[str, Any]) -> str:
    """By what two rows are the same row when they carry no uid: the declared identity fields, sealed ones by index."""
    return repr([comparable(row.get(name)) or "" for name in child.identity]).casefold()


def plain(row: Any) -> Any:
    """A row without its uid, so that rows of different sources can be compared; anything else as it is."""
    return {name: value for name, value in row.items() if name != "uid"} if isinstance(row, dict) else row


def compose(
    *,
    kind: RecordType,
    rules: Rules,
    sources: Iterable[Source],
    current: Document | None,
    provenance: Mapping[str, Any],
    entered: Mapping[str, Any] | None = None,
    pins: Mapping[str, Held] | None = None,
    new_uid: Callable[[], str] = lambda: str(uuid.uuid4()),
) -> Survived:
    """What survives. `entered`: {block: {value, since, key}} that people wrote here and that does not hold now.

    The same sources give the same result in whatever order they come; composing the result again changes nothing.
    """
    known = sorted(sources, key=lambda source: (source.system, source.key))
    work = _Work(kind, rules, known, current or {}, provenance, entered or {}, dict(pins or {}), new_uid)
    children = {child.name: child for child in kind.children}
    done: set[str] = set()
    for name in kind.document.model_fields:
        if name in done or name in kind.derived:
            continue
        if name in children:
            work.rows(children[name])
        elif group := rules.group(name):
            work.group(group)
            done.update(group)
        else:
            work.plain(name)
    return work.result


@dataclass
class _Work:
    kind: RecordType
    rules: Rules
    sources: list[Source]
    current: Document
    provenance: Mapping[str, Any]
    entered: Mapping[str, Any]
    pins: dict[str, Held]
    new_uid: Callable[[], str]
    result: Survived = field(default_factory=Survived)

    def __post_init__(self) -> None:
        """Pins follow the groups: of a group that is none any more, and of a field that joined one since."""
        for block in [block for block in self.pins if "+" in block]:
            names = rule_words.members(block)
            if self.rules.block(names[0]) != block:
                held = self.pins.pop(block)
                values = held.value if held.known else {name: self.current.get(name) for name in names}
                self.pins |= {name: Held(values.get(name), held.since) for name in names if name not in self.pins}
        for name in [path for path in self.pins if self.rules.group(path)]:
            held = self.pins.pop(name)
            group = self.rules.group(name)
            block = self.rules.block(name)
            base = self.pins[block].value if block in self.pins else {m: self.current.get(m) for m in group}
            value = held.value if held.known else self.current.get(name)
            self.pins[block] = Held({**base, name: value}, held.since)

    # --- one field ----------------------------------------------------------------------------------------

    def plain(self, name: str) -> None:
        now, mine = self.current.get(name), self.provenance.get(name)
        hub = self._hub(name, now, mine)
        value, origin = self._survive(name, lambda s: s.document.get(name), hub, now, mine)
        held = self.pins.get(name)
        if held is not None:
            self.result.free[name] = value
            value, origin = self._pinned(held, now)
        if value is None and self.kind.document.model_fields[name].default_factory is list:
            value = []
        self.result.body[name] = value
        if origin is not None:
            self.result.where[name] = origin

    def _hub(self, block: str, now: Any, mine: Any) -> Offer | None:
        """What people entered: the value that holds when it is theirs, else the one that lost."""
        if mine and mine.get("system") == HUB and mine.get("rule") != "pinned" and now not in EMPTY:
            return Offer(HUB, mine.get("key") or "", now, mine.get("since") or "")
        kept = self.entered.get(block)
        if kept and kept.get("value") not in EMPTY:
            return Offer(HUB, kept.get("key") or "", kept["value"], kept.get("since") or "")
        parts = [p for p in (mine or {}).get("parts", []) if p["system"] == HUB]
        if parts and isinstance(now, list):  # people's share of a union
            return Offer(HUB, parts[0]["key"], [p["value"] for p in parts], parts[0]["since"])
        return None

    def _survive(
        self, name: str, value_of: Callable[[Source], Any], hub: Offer | None, now: Any, mine: Any
    ) -> tuple[Any, Any]:
        offers = self._offers(value_of, left=False)
        if hub is not None:
            offers.append(hub)
        if offers:
            choice = choose(self.rules, name, offers, most=self._most(name))
            return choice.value, choice.as_json()
        gone = self._offers(value_of, left=True) if self.rules.rule(name).keep_last else []
        if gone:
            return _last_known(choose(self.rules, name, gone, most=self._most(name)))
        if mine is None or mine.get("rule") == "pinned":
            return now, None  # nobody knows where it came from, so nobody can take it away
        if name in self.kind.document.model_fields and self.kind.document.model_fields[name].is_required():
            return now, {**mine, "rule": "last_known"}  # a record cannot be without it
        return None, None

    def _offers(self, value_of: Callable[[Source], Any], *, left: bool) -> list[Offer]:
        found = [(source, value_of(source)) for source in self.sources if source.left == left]
        return [Offer(s.system, s.key, value, s.since) for s, value in found if value not in EMPTY]

    def _most(self, name: str) -> int:
        return rule_words.most_items(self.kind, name) if self.rules.rule(name).aggregate == "union" else 1_000_000

    def _pinned(self, held: Held, now: Any) -> tuple[Any, dict[str, Any]]:
        origin = {"system": HUB, "key": self.current.get("code") or "", "rule": "pinned", "since": held.since, "of": 1}
        return (held.value if held.known else now), origin

    # --- fields that survive together -----------------------------------------------------------------------

    def group(self, names: Sequence[str]) -> None:
        block = "+".join(names)
        now = {name: self.current.get(name) for name in names}

        def take(source: Source) -> Any:
            values = {name: source.document.get(name) for name in names}
            return values if any(value not in EMPTY for value in values.values()) else None

        mine = next((self.provenance[name] for name in names if name in self.provenance), None)
        theirs = [self.provenance.get(name) or {} for name in names]
        own = next((o for o in theirs if o.get("system") == HUB and o.get("rule") != "pinned"), None)
        # Who changed one field of a group here saw the others beside it: the whole block is theirs from then on.
        hub = self._hub(block, now if own else None, own or mine)
        empty = all(value in EMPTY for value in now.values())
        value, origin = self._survive(names[0], take, hub, None if empty else now, mine)
        held = self.pins.get(block)
        if held is not None:
            self.result.free[block] = value
            value, origin = self._pinned(held, now)
        for name in names:
            single = (value or {}).get(name)
            info = self.kind.document.model_fields[name]
            if single in EMPTY and info.is_required():
                single = self.current.get(name)
            self.result.body[name] = [] if single is None and info.default_factory is list else single
            if origin is not None:
                self.result.where[name] = {**origin, "group": block}

    # --- rows of a list ---------------------------------------------------------------------------------------

    def rows(self, child: ChildType) -> None:
        """Union of the sources' rows by identity; each row survives as a block from one source."""
        known = _numbered(child, self.current.get(child.name) or [])
        offers: dict[tuple[str, int], list[Offer]] = {}
        gone: dict[tuple[str, int], list[Offer]] = {}
        for source in self.sources:
            for place, row in _numbered(child, source.document.get(child.name) or []).items():
                into = gone if source.left else offers
                into.setdefault(place, []).append(Offer(source.system, source.key, plain(row), source.since))
        for place, row in known.items():
            if (hub := self._hub_row(child, row)) is not None:
                offers.setdefault(place, []).append(hub)
        chosen = {place: (c.value, c.as_json()) for place, c in self._choose_rows(child, offers).items()}
        if self.rules.rule(child.name).keep_last:
            for place, choice in self._choose_rows(child, gone).items():
                chosen.setdefault(place, _last_known(choice))
        self._pin_rows(child, known, chosen)
        order = {place: index for index, place in enumerate(known)}
        rows = []
        for place in sorted(chosen, key=lambda place: order.get(place, len(order))):
            value, origin = chosen[place]
            row = {**value, "uid": known[place]["uid"] if place in known else self.new_uid()}
            rows.append(row)
            if origin is not None:
                self.result.where[f"{child.name}/{row['uid']}"] = origin
        self.result.body[child.name] = periods.settled(rows) if child.name == self.kind.periods else rows

    def _choose_rows(
        self, child: ChildType, offers: Mapping[tuple[str, int], list[Offer]]
    ) -> dict[tuple[str, int], Choice]:
        return {place: choose(self.rules, child.name, found) for place, found in offers.items()}

    def _hub_row(self, child: ChildType, row: Document) -> Offer | None:
        path = f"{child.name}/{row['uid']}"
        mine = self.provenance.get(path)
        if mine is None:  # nobody knows whose it is, so it cannot go with a source
            return Offer(HUB, "", plain(row), "")
        return self._hub(path, plain(row), mine)

    def _pin_rows(self, child: ChildType, known: Mapping[tuple[str, int], Document], chosen: dict[Any, Any]) -> None:
        for place, row in known.items():
            path = f"{child.name}/{row['uid']}"
            if (held := self.pins.get(path)) is not None:
                self.result.free[path] = chosen[place][0] if place in chosen else None
                chosen[place] = self._pinned(held, plain(row))
            elif place not in chosen and (self.provenance.get(path) or {}).get("rule") == "pinned":
                chosen[place] = (plain(row), None)  # its pin is gone, and nobody offers another


def _numbered(child: ChildType, rows: Sequence[Document]) -> dict[tuple[str, int], Document]:
    """{(identity, n-th of it): row}. A list that says the very same row twice says it once."""
    found: dict[tuple[str, int], Document] = {}
    for row in rows:
        name, number = identity(child, row), 0
        while (name, number) in found:
            if same(plain(found[name, number]), plain(row)) and not row.get("uid"):
                break
            number += 1
        found.setdefault((name, number), row)
    return found


def _last_known(choice: Choice) -> tuple[Any, dict[str, Any]]:
    return choice.value, {**choice.as_json(), "rule": "last_known"}
