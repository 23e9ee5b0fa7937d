"""Real vendors of the US Treasury, spread over the platforms with overlaps: one DUNS is one supplier."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from suppliers.demo.building.entry import CONCUR, COUPA, S4HANA, Entry, chance, number, pick

COUNTRY = {"USA": "US", "BRA": "BR"}
SPREAD = ((S4HANA,), (COUPA,), (S4HANA, COUPA), (S4HANA, COUPA), (S4HANA, COUPA, CONCUR), (S4HANA, CONCUR))
_HOUSE = re.compile(r"^(\d+(?:-\d+)?)\s+(.+)$")
_EXTRA = re.compile(r"^(.*?),?\s+((?:STE|SUITE|UNIT|APT|#)\s?\S.*|\d+(?:TH|ND|ST|RD) FLOOR)$")
_KEEP = {
    "LLC",
    "AT&T",
    "SICPA",
    "FCN",
    "PMX",
    "ABM",
    "HDR",
    "ASI",
    "CACI",
    "CRA",
    "KBSEIS",
    "V3GATE",
    "DC",
    "GBC",
    "VA",
    "II",
    "III",
    "IV",
    "S&S",
    "P&P",
    "BNA",
    "WMATA",
    "USA",
    "U.S.A.,",
    "NW",
    "NE",
    "SW",
    "SE",
}


def read(path: Path) -> Iterator[Entry]:
    """One entry per platform that knows the vendor; one more where a contract has another address."""
    seen: dict[str, list[dict[str, str]]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            versions = seen.setdefault(row["duns"], [])
            if not any(_particulars(row) == _particulars(known) for known in versions):
                versions.append(row)
    for duns in sorted(seen):
        versions = seen[duns]
        for system in pick(SPREAD, "treasury", duns):
            yield _entry(system, versions[0])
        for other in versions[1:]:
            yield _entry(S4HANA, other)


def _particulars(row: dict[str, str]) -> tuple[str, ...]:
    return (row["vendor_name"], row["street"], row["phone"])


def _entry(system: str, row: dict[str, str]) -> Entry:
    line = ", ".join(part for part in (row["street"], row["street2"]) if part)
    house, street = "", line
    if found := _HOUSE.match(line):
        house, street = found[1], found[2]
    first, second = line, ""
    if system == COUPA and (found := _EXTRA.match(line)):
        first, second = found[1], found[2]
    entry = Entry(
        system=system,
        entity="treasury-" + row["duns"],
        family="treasury-parent-" + (row["parent_duns"] or row["duns"]),
        group="treasury",
        name=_name(system, row),
        country=COUNTRY[row["country"]],
        trade_name=row["dba_name"] or row["alternate_name"],
        street=street,
        house=house,
        line=first,
        line2=second,
        city=row["city"],
        region=row["state"],
        postal_code=_postal_code(system, row),
        phone=_phone(system, row["phone"]),
        duns=row["duns"],
        parent_duns=row["parent_duns"] if row["parent_duns"] != row["duns"] else "",
        parent_name=row["parent_name"] if row["parent_duns"] != row["duns"] else "",
        upper=system == S4HANA,
    )
    if system == COUPA:
        for name in ("name", "trade_name", "line", "line2", "city"):
            setattr(entry, name, title(getattr(entry, name)))
    if system == CONCUR and chance(0.5, "no duns", row["duns"]):
        entry.duns = ""
    return entry


def _name(system: str, row: dict[str, str]) -> str:
    """Each platform got its own spelling: the buyer's, the registered one, or the one without the comma."""
    name = row["vendor_name"]
    if system == CONCUR:
        return re.sub(r"\s+", " ", name.replace(",", "").replace(".", ""))
    if system == COUPA and number("spelling", row["duns"]) % 4 == 0:
        return re.sub(r",? (INCORPORATED|INC\.?)$", " INC", name.replace(" CORPORATION", " CORP."))
    return name


def _postal_code(system: str, row: dict[str, str]) -> str:
    code = row["zip"]
    if row["country"] != "USA" or len(code) != 9:
        return code
    return {S4HANA: f"{code[:5]}-{code[5:]}", COUPA: code[:5], CONCUR: code[:5]}[system]


def _phone(system: str, phone: str) -> str:
    if len(phone) != 10:
        return ""
    forms = {S4HANA: "{0}{1}{2}", COUPA: "({0}) {1}-{2}", CONCUR: "{0}-{1}-{2}"}
    return forms[system].format(phone[:3], phone[3:6], phone[6:])


def title(text: str) -> str:
    """Capitals only at the start of words, but not for LLC, AT&T, 37TH and the like."""
    return " ".join(word if word in _KEEP else _word(word) for word in text.split(" "))


def _word(word: str) -> str:
    if any(ch.isdigit() for ch in word):
        return word.lower() if re.fullmatch(r"\d+(TH|ST|ND|RD)", word) else word
    return re.sub(r"[A-Za-z]+('[A-Za-z]+)?", lambda found: found[0][0] + found[0][1:].lower(), word)
