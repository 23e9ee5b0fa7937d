"""Owns checking how lines of bookings are coded: what is wrong with each, what its codes stand for, what the target calls them.

The number of queries is fixed whatever the lines say. What nothing maps is said and put down for stewards, never guessed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from dimensions.coding import Compiled as Rules
from dimensions.selectors import coded
from dimensions.selectors.coded import Asked, Found
from dimensions.services import asking, coded_lines, coded_records, coding_rules, mappings
from dimensions.services.coded_lines import ACCOUNTS, NAMED, TAX, Checked, Judge, Line
from dimensions.services.coded_records import Made
from dimensions.services.coded_values import OWN_PATH, Held, read
from dimensions.services.mappings import Pair
from mdm.errors import CorrectInput
from mdm.mapping import Compiled
from mdm.selectors import event_watch
from mdm.selectors.visibility import Entities
from mdm.types import Problem

OWN, CENTER = "dimension_value", "profit_center"
NOTED = ("legal_entity", "country")
"""Dimensions that are put down with every use of a mapping: few, because each combination is counted by itself."""


@dataclass(frozen=True, slots=True)
class Answer:
    lines: list[Checked]
    rules: Rules
    answers: Mapping[Pair, Compiled]


def check(
    lines: Sequence[Line],
    *,
    system: str = "",
    chart: str = "",
    entities: Entities = None,
    by: str = "",
    meanwhile: Callable[[Sequence[Checked]], object] = lambda done: None,
) -> Answer:
    """What is wrong with each line, in the order given. `system`: whose keys come first and whose codes come out, "" the
    hub itself. `chart`: that account numbers are of, "" the one the group books in. `entities`: as visibility has it.
    `by`: who asks, put down with what was asked and what has no target; "" puts nothing down. `meanwhile`: done with the
    lines when all is known, while the database puts that down. CorrectInput when there is no such system. At most nine
    queries: one of what the call stands on, one of what changed, four of records, one each of rules and of mappings, one
    to put down. What codes stand for, rules and mappings are kept in the process until they change: then there are three.
    """
    call = _Call(lines, system, chart, entities)
    done = [call.begin(line) for line in lines]
    answers = mappings.answers_of(call.wanted, call.looked, meanwhile=lambda: call.read(done))
    judge = Judge(call.rules, answers, (system, call.ground.title)).judge
    for one in done:
        judge(one)
    if by:
        _note(done, answers, system, by, meanwhile=lambda: meanwhile(done))
    else:
        meanwhile(done)
    return Answer(done, call.rules, answers)


class _Call:
    """Everything that is asked once for all lines of a call."""

    def __init__(self, lines: Sequence[Line], system: str, chart: str, entities: Entities) -> None:
        self.system, self.chart, self.entities = system, chart, entities
        self.ground = coded.ground(system, coded_records.last_keys(system))
        if system and self.ground.system is None:
            words = f"There is no system “{system}”."
            raise CorrectInput(words, problems=[Problem("system", "unknown_system", words)])
        self.looked = event_watch.looks(
            {coding_rules.KEY: coding_rules.last_look(), **mappings.last_looks(), **coded_records.last_looks()}
        )
        self._known, made = coded_records.known(system, self.looked, self.ground.keys)
        self._made = made if entities is None else {}  # what people of some companies see is not for others
        self._rules: Rules | None = None
        self.by_rows = bool(system) and TAX in mappings.MAPPINGS
        self._wanted: dict[tuple[str, str, str], set[str]] = {}
        self._charts: dict[str, tuple[str, str]] = {}
        self._lines, self._fetched, self._complete = lines, False, False

    @property
    def rules(self) -> Rules:
        if self._rules is None:
            self._rules = coding_rules.read(self.looked[coding_rules.KEY])()
        return self._rules

    def _fetch(self) -> None:
        """Asks for all codes of the lines that are not at hand, once, when the first of them is met. Rules are compiled and
        codes made of what was found while the database looks for more."""
        if self._fetched:
            return
        self._fetched, missing = True, dict[str, set[Asked]]()
        rules = coding_rules.read(self.looked[coding_rules.KEY], meanwhile=lambda: missing.update(self._missing()))

        def compile_rules() -> None:
            self._rules = rules()

        number = self.ground.system[0] if self.ground.system else None
        for found in coded.records(number, missing, meanwhile=compile_rules):
            for kind, records in found.items():
                self._known[kind].update(records)
            self._make(found)
        self._complete = True

    def _missing(self) -> dict[str, set[Asked]]:
        """{kind: codes that are to be asked for}"""
        known = self._known
        asked: dict[str, set[Asked]] = {kind: set() for kind in coded.KINDS}
        for line in self._lines:
            made = self.made(line.posting_date)
            for (name, held), text in zip(made.named.items(), line.named(), strict=True):
                if text and text not in held:
                    asked[name].add(text)
            asked[OWN].update(pair for pair in line.dimensions.items() if pair not in made.own)
            for chart in self._maybe(line.legal_entity, made):
                if (chart, line.gl_account) not in made.accounts:
                    asked["gl_account"].add((chart, line.gl_account))
        for kind, place in coded.PLACES.items():
            found = [known[kind][text] for text in asked[kind] if text in known[kind]]
            asked["named"].update(code for one in found for period in one.periods if (code := period.values[place]))
        return {kind: {text for text in texts if text not in known[kind]} for kind, texts in asked.items()}

    def made(self, day: date) -> Made:
        found = self._made.get(day)
        return self._made.setdefault(day, Made.nothing()) if found is None else found

    def _maybe(self, entity: str, made: Made) -> Collection[str]:
        """Charts an account number may be of, before the company's own code is known: it may be named by a key, or have
        been merged."""
        if self.chart:
            return (self.chart,)
        company = made.named["legal_entity"].get(entity)
        if company is not None:
            return (self.charts(company.code)[0],)
        return {chart for (system, _entity), chart in self.ground.charts.items() if not system}

    # --- what codes stand for -----------------------------------------------------------------------------------------

    def _read(self, kind: str, path: str, text: str, found: Found | None, on: date, chart: str = "") -> Held:
        day, at_home = on.toordinal(), not self.system
        return read(kind, path, text, found, day, at_home=at_home, chart=chart, entities=self.entities)

    def _make(self, kinds: Collection[str]) -> None:
        """What the lines mean by records of these kinds that are known."""
        for place, name in enumerate(NAMED):
            known = self._known[name] if name in kinds else {}
            for line in self._lines if known else ():
                text, on = line.named()[place], line.posting_date
                if text and text in known:
                    self._named(self.made(on), name, text, on)
        accounts = self._known["gl_account"] if "gl_account" in kinds else {}
        for line in self._lines if accounts else ():
            made = self.made(line.posting_date)
            company = made.named["legal_entity"].get(line.legal_entity)
            chart = self.charts(company.code)[0] if company is not None else ""
            if (chart, line.gl_account) in accounts:
                self._account(made, chart, line)

    def _named(self, made: Made, name: str, text: str, on: date) -> Held:
        one = made.named[name].get(text)
        if one is None:
            self._fetch()
            one = self._read(name, name, text, self._known[name].get(text), on)
            code = _dependent(name, one) if name in coded.PLACES else ""
            if code and code not in made.dependent:  # named by its code, whatever a system calls so
                record = self._known["named"].get(code)
                if record is None and not self._complete:
                    return one  # it may have been merged, which is followed last
                made.dependent[code] = self._read(CENTER, CENTER, code, record, on)
            made.named[name][text] = one
        return one

    def _account(self, made: Made, chart: str, line: Line) -> Held:
        account = made.accounts.get((chart, line.gl_account))
        if account is None:
            self._fetch()
            record = self._known["gl_account"].get((chart, line.gl_account))
            account = self._read("gl_account", "gl_account", line.gl_account, record, line.posting_date, chart)
            made.accounts[chart, line.gl_account] = account
        return account

    def _own(self, made: Made, pair: tuple[str, str], on: date) -> Held:
        one = made.own.get(pair)
        if one is None:
            self._fetch()
            one = self._read(OWN, f"{OWN_PATH}{pair[0]}", pair[1], self._known[OWN].get(pair), on)
            made.own[pair] = one
        return one

    def charts(self, entity: str) -> tuple[str, str]:
        """(the chart account numbers are of, the chart that is booked in)"""
        found = self._charts.get(entity)
        if found is None:
            source = self.chart or self.ground.chart("", entity)
            target = self.ground.chart(self.system, entity) if self.system else source
            found = self._charts[entity] = (source, target)
        return found

    # --- one line -----------------------------------------------------------------------------------------------------

    def begin(self, line: Line) -> Checked:
        """As much of it as says which codes mappings are asked for."""
        done, on = Checked(line), line.posting_date
        made = self.made(on)
        company = self._named(made, "legal_entity", line.legal_entity, on)
        done.charts = source, target = self.charts(company.code)
        account = self._account(made, source, line)
        if account.record is not None and target and source != target:
            self._want((ACCOUNTS, source, target), account.code)
        if self.by_rows and line.tax_code:
            tax = self._named(made, "tax_code", line.tax_code, on)
            if tax.record is not None:
                self._want((TAX, "", self.system), tax.code)
        return done

    def read(self, lines: Iterable[Checked]) -> None:
        """What all their codes stand for."""
        for done in lines:
            line, on, held = done.line, done.line.posting_date, done.held
            made = self.made(on)
            for (name, known), text in zip(made.named.items(), line.named(), strict=True):
                if text:
                    held[name] = known.get(text) or self._named(made, name, text, on)
            if not line.profit_center:
                for name in coded.NAMED_BY:
                    if name in held and (code := _dependent(name, held[name])):
                        held[CENTER] = made.dependent[code]
                        break
            held["gl_account"] = made.accounts[done.charts[0], line.gl_account]
            for pair in line.dimensions.items() if line.dimensions else ():
                held[f"{OWN_PATH}{pair[0]}"] = self._own(made, pair, on)
            coded_lines.take(done)

    def _want(self, place: tuple[str, str, str], code: str) -> None:
        codes = self._wanted.get(place)
        if codes is None:
            codes = self._wanted[place] = set()
        codes.add(code)

    @property
    def wanted(self) -> dict[Pair, set[str]]:
        """Codes that mappings are to be asked for, after every line was begun."""
        return {Pair(*place): codes for place, codes in self._wanted.items()}


def _dependent(name: str, one: Held) -> str:
    """Code of what a record names, "" for nothing."""
    return (one.values[coded.PLACES[name]] or "") if one.values else ""


_Place = tuple[tuple[str, str, str], tuple[str, ...], date]


def _note(
    done: Sequence[Checked], answers: Mapping[Pair, Compiled], system: str, by: str, *, meanwhile: Callable[[], object]
) -> None:
    """Uses of mappings, and what has no target, each with how often."""
    uses: dict[_Place, list[str]] = {}
    gaps: dict[_Place, list[str]] = {}
    by_rows = Pair(TAX, "", system) in answers
    for one in done:
        facts, day = one.facts, one.line.posting_date
        entity, country = facts.get("legal_entity", ""), facts.get("country", "")
        account = one.account
        if account is not None:
            place: _Place = ((ACCOUNTS, *one.charts), (entity, country, facts.get("tax_code", "")), day)
            uses.setdefault(place, []).append(account.value)
            if account.target is None:
                gaps.setdefault(place, []).append(account.value)
        tax = one.held.get("tax_code") if system else None
        if tax is not None and tax.record is not None:
            place = ((TAX, "", system), (entity, country), day)
            if by_rows:
                uses.setdefault(place, []).append(tax.code)
            if one.target("tax_code") is None:
                gaps.setdefault(place, []).append(tax.code)
    asking.note(uses=_noted(uses), gaps=_noted(gaps), by=by, meanwhile=meanwhile)


def _noted(found: Mapping[_Place, Sequence[str]]) -> Iterator[asking.Asked]:
    for (pair, context, day), codes in found.items():
        said = {name: code for name, code in zip((*NOTED, "tax_code"), context, strict=False) if code}
        yield asking.Asked(*pair, said, day, Counter(codes))
