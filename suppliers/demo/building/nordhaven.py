"""Invented suppliers of the invented European Nordhaven Group: tax ids, bank accounts and sibling companies.

Their records come from a seeded generator; nothing in them is a real company, and their mail and web names
end in the reserved `.example`. Here every tax id and IBAN gets valid check digits, national ones included.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unicodedata import normalize

from stdnum import get_cc_module, iban
from stdnum.es import ccc
from stdnum.exceptions import ValidationError
from stdnum.no import kontonr

from suppliers.demo.building.entry import CONCUR, COUPA, S4HANA, Entry, chance, number, pick

EUROPE = {
    "DE",
    "AT",
    "CH",
    "FR",
    "IT",
    "ES",
    "NL",
    "BE",
    "GB",
    "IE",
    "PL",
    "CZ",
    "SE",
    "DK",
    "FI",
    "NO",
    "PT",
    "RO",
    "HU",
    "GR",
    "BG",
}
PLATFORM = {"SAP_ECC": S4HANA, "ORACLE_EBS": S4HANA, "COUPA": COUPA, "LEGACY_AP": CONCUR}
FIRST = [
    "Anna",
    "Bruno",
    "Clara",
    "David",
    "Elena",
    "Filip",
    "Greta",
    "Henrik",
    "Ines",
    "Jonas",
    "Katja",
    "Lukas",
    "Maren",
    "Nils",
    "Olga",
    "Pavel",
    "Rita",
    "Stefan",
    "Tilda",
    "Viktor",
]
LAST = [
    "Abendroth",
    "Birkmoor",
    "Castelbrun",
    "Dornhaven",
    "Eschwald",
    "Fjordahl",
    "Grauholm",
    "Haselund",
    "Ilvermark",
    "Kestrelby",
    "Lindqvale",
    "Morvane",
]
PLAIN = str.maketrans({"ß": "ss", "ø": "o", "Ø": "O", "æ": "ae", "ł": "l", "Ł": "L", "ı": "i"})
_BOX = re.compile(r"^(Postfach|PO Box|P\.O\. Box|BP) ")
_LEADING = re.compile(r"^(\d+\s?[a-zA-Z]?),?\s+(\D.*)$")
_TRAILING = re.compile(r"^(.*?\D)(?:,? (?:nr|No)\.?:? ?|,? No:|,? №|,?\s+)(\d+\s?[a-zA-Z]?)$", re.IGNORECASE)

Row = dict[str, str]


def read(path: Path) -> Iterator[Entry]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    entities: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        entities[row["entity_id"]].append(row)
    for records in entities.values():
        country = next((row["country"] for row in records if row["country"]), "")
        if country in EUROPE:
            vats = [vat for row in records if (vat := _vat(country, row["vat_id"]))]
            ibans = [account for row in records if (account := _iban(row))]
            entries = [_entry(row, country, vats, ibans) for row in records]
            yield from entries
            if sorted(entry.system for entry in entries) == [COUPA, S4HANA] and vats and ibans:
                yield _claimed(entries[0], vats[0], ibans[0])


def _entry(row: Row, country: str, vats: list[str], ibans: list[str]) -> Entry:
    name = row["name"]
    system = PLATFORM.get(row["source_system"]) or (CONCUR if int(row["record_id"]) % 2 else COUPA)
    street, house = _split(row["street"])
    account = _iban(row) or (ibans[0] if row["bank_account"] and ibans else "")
    email, website = _internet(row)
    return Entry(
        system=system,
        entity="nordhaven-" + row["entity_id"],
        family="" if row["kind"] == "standalone" else f"nordhaven-{row['kind']}-{row['group_id']}",
        group="nordhaven",
        name=name,
        country=country,
        trade_name=row["alias"],
        street=street,
        house=house,
        line=row["street"],
        city=row["city"],
        postal_code=row["postcode"],
        phone=row["phone"],
        email=email,
        website=website,
        # a mistyped number gives way to the same supplier's good one: rows are broken on purpose only
        vat=_vat(country, row["vat_id"]) or (vats[0] if row["vat_id"] and vats else ""),
        iban=account,
        contact=_contact(row) if system == COUPA else "",
        upper=name.isupper(),
    )


def _claimed(known: Entry, vat: str, account: str) -> Entry:
    """The supplier once more, at the third platform: plain capitals, cut at thirty, with its own numbers."""
    plain = normalize("NFKD", known.name.translate(PLAIN)).encode("ascii", "ignore").decode()
    name = (plain.strip() or known.name).upper()[:30].strip()
    return replace(known, system=CONCUR, name=name, vat=vat, iban=account, contact="", email="", website="")


def _vat(country: str, text: str) -> str:
    """The number as written when valid, with the country put back where one letter too many was cut."""
    module = get_cc_module(country.lower(), "vat")
    assert module, country
    for candidate in (text, country + text):
        try:
            module.validate(candidate)
        except ValidationError:
            continue
        return candidate
    return ""


def _iban(row: Row) -> str:
    text = row["bank_account"].replace(" ", "")
    if not text or "bank_typo" in row["ops"].split("|"):
        return ""
    text = with_check_digits(text[:2], _national(text[:2], text[4:]))
    iban.validate(text)
    return text


def _national(country: str, number_: str) -> str:
    """Spain, Belgium and Norway have check digits of their own inside the account number."""
    if country == "ES":
        return number_[:8] + ccc.calc_check_digits(number_) + number_[10:]
    if country == "BE":
        stem = "363" + number_[3:10]  # the first three digits must be a bank's
        return f"{stem}{int(stem) % 97 or 97:02d}"
    if country == "NO":  # some stems have no check digit: count on to the next that has
        return next(s for i in range(100) if kontonr.is_valid(s := f"{number_[:9]}{(int(number_[9:]) + i) % 100:02d}"))
    return number_


def with_check_digits(country: str, number_: str) -> str:
    return country + iban.calc_check_digits(country + "00" + number_) + number_


def _split(line: str) -> tuple[str, str]:
    if _BOX.match(line):
        return line, ""
    if found := _LEADING.match(line):
        return found[2], found[1]
    if found := _TRAILING.match(line):
        return found[1].rstrip(" ,"), found[2]
    return line, ""


def _internet(row: Row) -> tuple[str, str]:
    website = row["website"]
    return row["email"], f"https://{website}" if website and "://" not in website else website


def _contact(row: Row) -> str:
    entity = row["entity_id"]
    if not chance(0.6, "contact", entity):
        return ""
    return f"{pick(FIRST, 'first', entity)} {LAST[number('last', entity) % len(LAST)]}"
