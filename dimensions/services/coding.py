"""Owns checking how lines of bookings are coded: what is wrong with each, what its codes stand for, what the target calls them.

The number of queries is fixed whatever the lines say. What nothing maps is said and put down for stewards, never guessed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from dimensions.coding import Compiled as Rules
from dimensions.selectors import coded
from dimensions.selectors.coded import Found
from dimensions.services import asking, coded_lines, coded_records, coding_rules, mappings
from dimensions.services.asking import Asked
from dimensions.services.coded_lines import NAMED, TAX, Checked, Line
from dimensions.services.coded_values import READ_OFF, Held, Issue, read
from dimensions.services.mappings import Pair
from mdm.errors import CorrectInput
from mdm.mapping import Compiled
from mdm.selectors import event_watch
from mdm.selectors.visibility import Entities
from mdm.types import Problem

OWN = "dimension_value"
NOTED = ("legal_entity", "country")
"""Dimensions that are put down with every use of a mapping: few, because each combination is counted by itself."""


@dataclass(frozen=True, slots=True)
class Answer:
    lines: list[Checked]
    rules: Rules
    answers: Mapping[Pair, Compiled]


def check(
    lines: Sequence[Line], *, system: str = "", chart: str = "", entities: Entities = None, by: str = ""
) -> Answer:
    """What is wrong with each line, in the order given. `system`: whose keys come first and whose codes come out, "" the
    hub itself. `chart`: that account numbers are of, "" the one the group books in. `entities`: as visibility has it.
    `by`: who asks, put down with what was asked and what has no target; "" puts nothing down. CorrectInput when there
    is no such system. At most nine queries: two of keys, two of records, one each of what changed, of rules and of
    mappings, two to put down; records, rules and mappings are kept in the process until they change.
    """
    call = _Call(lines, system, chart, entities)
    done = [call.read(line) for line in lines]
    answers = mappings.answers_of(call.wanted, call.looked)
    named = (system, call.ground.title)
    for one in done:
        coded_lines.judge(one, call.rules, answers, named)
    if by:
        _note(done, answers, system, by)
    return Answer(done, call.rules, answers)


class _Call:
    """Everything that is asked once for all lines of a call."""

    def __init__(self, lines: Sequence[Line], system: str, chart: str, entities: Entities) -> None:
        self.system, self.chart, self.entities = system, chart, entities
        columns = zip(NAMED, zip(*(line.named() for line in lines), strict=True), strict=True)
        named = [(name, text) for name, texts in columns for text in set(texts) if text]
        own = {pair for line in lines if line.dimensions for pair in line.dimensions.items()}
        self.ground = coded.ground(system, [*named, *{(OWN, value) for _dimension, value in own}])
        if system and self.ground.system is None:
            words = f"There is no system “{system}”."
            raise CorrectInput(words, problems=[Problem("system", "unknown_system", words)])
        self.looked = event_watch.looks(
            {coding_rules.KEY: coding_rules.last_look(), **mappings.last_looks(), **coded_records.last_looks()}
        )
        asked = self._asked(lines, named, own)
        self.records = coded_records.of(asked, self.looked)
        self.keys = self._keys(asked)
        self.rules = coding_rules.compiled(self.looked[coding_rules.KEY])
        self.wanted: dict[Pair, set[str]] = {}
        self._held: dict[date, dict[str, dict[str, Held]]] = {}
        self._charts: dict[str, tuple[str, str]] = {}

    def _asked(
        self, lines: Sequence[Line], named: Iterable[tuple[str, str]], own: Iterable[tuple[str, str]]
    ) -> dict[str, coded.Asked]:
        known, asked = self.ground.keys, {kind: coded.Asked() for kind in coded.KINDS}
        for pair in named:
            uid = known.get(pair)
            if uid is None:
                asked[pair[0]].names.add((pair[1],))
            else:
                asked[pair[0]].uids.add(uid)
        for pair in own:
            asked[OWN].names.add(pair)
            if uid := known.get((OWN, pair[1])):
                asked[OWN].uids.add(uid)
        charts: dict[str, Collection[str]] = {}
        for entity, number in {(line.legal_entity, line.gl_account) for line in lines}:
            if entity not in charts:
                charts[entity] = self._maybe(entity)
            asked["gl_account"].names.update([(chart, number) for chart in charts[entity]])
        return asked

    def _maybe(self, entity: str) -> Collection[str]:
        """Charts an account number may be of, before the company's own code is known."""
        if self.chart:
            return (self.chart,)
        if ("legal_entity", entity) in self.ground.keys:
            return {chart for (system, _entity), chart in self.ground.charts.items() if not system}
        return (self.ground.chart("", entity),)

    def _keys(self, asked: Mapping[str, coded.Asked]) -> Mapping[str, str]:
        """{uid: what the system calls it}. Whatever came by its primary key is called so; the others are looked up.
        Accounts are called what mappings say."""
        if self.ground.system is None:
            return {}
        found: list[Found | None] = []
        for kind, one in asked.items():
            if kind != "gl_account":
                by_uid, by_names = self.records[kind]
                found += [by_uid.get(uid) for uid in one.uids]
                found += [by_names.get(names) for names in one.names]
        centers = self.records[coded.DEPENDENT].by_names
        found += [centers.get((code,)) for code in coded_records.dependents(asked, self.records)]
        primary = self.ground.primary
        uids = {one.uid for one in found if one is not None and one.uid not in primary}
        return {**primary, **coded.keys_of(self.ground.system[0], uids)}

    # --- what codes stand for -----------------------------------------------------------------------------------------

    def _read(self, kind: str, path: str, text: str, found: Found | None, on: date, chart: str = "") -> Held:
        key = self.keys.get(found.uid, "") if found else ""
        return read(
            kind, path, text, found, on.toordinal(), key=key, system=self.system, chart=chart, entities=self.entities
        )

    def _named(self, kind: str, text: str, on: date) -> Held:
        by_uid, by_names = self.records[kind]
        uid = self.ground.keys.get((kind, text))
        return self._read(kind, kind, text, by_names.get((text,)) if uid is None else by_uid.get(uid), on)

    def _own(self, dimension: str, value: str, on: date) -> Held:
        by_uid, by_names = self.records[OWN]
        uid = self.ground.keys.get((OWN, value))
        found = by_uid.get(uid) if uid else None
        if found is None or found.names[0] != dimension:
            found = by_names.get((dimension, value))
        return self._read(OWN, f"dimensions/{dimension}", value, found, on)

    def _dependent(self, done: Checked, on: date, memo: dict[str, Held]) -> Held | None:
        """The profit center of the cost center, else of the project: by its code, whatever a system calls so."""
        for name in coded.NAMING:
            one = done.held.get(name)
            if one is not None and one.meaning is not None and one.meaning.values:
                code = one.meaning.values[coded.PLACES[name]]
                if code:
                    found = memo.get(code)
                    if found is None:
                        record = self.records[coded.DEPENDENT].by_names.get((code,))
                        found = memo[code] = self._read(coded.DEPENDENT, coded.DEPENDENT, code, record, on)
                    return found
        return None

    def charts(self, entity: str) -> tuple[str, str]:
        """(the chart account numbers are of, the chart that is booked in)"""
        found = self._charts.get(entity)
        if found is None:
            source = self.chart or self.ground.chart("", entity)
            target = self.ground.chart(self.system, entity) if self.system else source
            found = self._charts[entity] = (source, target)
        return found

    # --- one line -----------------------------------------------------------------------------------------------------

    def read(self, line: Line) -> Checked:
        """What its codes stand for, and which codes mappings are asked for."""
        done, on = Checked(line), line.posting_date
        memos = self._held.get(on)
        if memos is None:
            names = (*NAMED, "gl_account", OWN, "dependent")
            memos = self._held[on] = {name: {} for name in names}
        company = ""
        for name, text in zip(NAMED, line.named(), strict=True):
            if text:
                held = memos[name].get(text)
                if held is None:
                    held = memos[name][text] = self._named(name, text, on)
                if name == "legal_entity" and held.meaning is not None:
                    company = held.meaning.code
                _take(done, name, held, company)
        if not line.profit_center and (center := self._dependent(done, on, memos["dependent"])):
            _take(done, coded.DEPENDENT, center, company)
        done.charts = source, target = self.charts(company)
        memo, name = memos["gl_account"], f"{source} {line.gl_account}"
        account = memo.get(name)
        if account is None:
            record = self.records["gl_account"].by_names.get((source, line.gl_account))
            account = memo[name] = self._read("gl_account", "gl_account", line.gl_account, record, on, source)
        _take(done, "gl_account", account, company)
        for dimension, value in line.dimensions.items():
            memo, name = memos[OWN], f"{dimension} {value}"
            if name not in memo:
                memo[name] = self._own(dimension, value, on)
            _take(done, f"dimensions/{dimension}", memo[name], company)
        if account.meaning is not None and target and source != target:
            self._want(Pair("gl_mapping", source, target), account.meaning.code)
        tax = done.held.get("tax_code")
        if tax is not None and tax.meaning is not None and self.system and TAX in mappings.MAPPINGS:
            self._want(Pair(TAX, "", self.system), tax.meaning.code)
        return done

    def _want(self, pair: Pair, code: str) -> None:
        if pair in self.wanted:
            self.wanted[pair].add(code)
        else:
            self.wanted[pair] = {code}


def _take(done: Checked, path: str, held: Held, company: str) -> None:
    done.held[path] = held
    meaning = held.meaning
    if held.issues:
        done.errors += held.issues
    if meaning is None:
        name = path.removeprefix("dimensions/")
        done.unknown += (name, READ_OFF[name][0]) if name in READ_OFF else (name,)
        return
    if held.warnings:
        done.warnings += held.warnings
    if meaning.unsaid:
        done.unknown += meaning.unsaid
    done.facts.update(meaning.facts)
    if meaning.entity and company and meaning.entity != company:
        words = f"{held.shown} belongs to {meaning.entity}, not to {company}."
        done.errors.append(Issue(path, "wrong_entity", words))
    if "/" in path:
        name = path.removeprefix("dimensions/")
        done.golden.setdefault("dimensions", {})[name] = meaning.golden
        done.target.setdefault("dimensions", {})[name] = held.target
    else:
        done.golden[path] = meaning.golden
        if held.target is not None:
            done.target[path] = held.target


_Use = tuple[str, str, str, str, date, tuple[str, ...]]


def _note(done: Sequence[Checked], answers: Mapping[Pair, Compiled], system: str, by: str) -> None:
    """Uses of mappings, and what has no target, each with how often."""
    uses: Counter[_Use] = Counter()
    gaps: Counter[_Use] = Counter()
    mapped = Pair(TAX, "", system) in answers
    for one in done:
        facts, day = one.facts, one.line.posting_date
        here = (facts.get("legal_entity", ""), facts.get("country", ""))
        if one.account is not None:
            asked: _Use = ("gl_mapping", *one.charts, one.account.value, day, (*here, facts.get("tax_code", "")))
            uses[asked] += 1
            if one.account.target is None:
                gaps[asked] += 1
        tax = one.held.get("tax_code")
        if system and tax is not None and tax.meaning is not None:
            asked = (TAX, "", system, tax.meaning.code, day, here)
            if mapped:
                uses[asked] += 1
            if "tax_code" not in one.target:
                gaps[asked] += 1
    contexts: dict[tuple[str, ...], dict[str, str]] = {}

    def listed(counted: Counter[_Use]) -> Iterable[Asked]:
        for (kind, source, target, code, day, context), times in counted.items():
            if context not in contexts:
                contexts[context] = {
                    name: said for name, said in zip((*NOTED, "tax_code"), context, strict=False) if said
                }
            yield Asked(kind, source, target, code, contexts[context], day, times)

    asking.note(uses=listed(uses), gaps=listed(gaps), by=by)
