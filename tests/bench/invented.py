"""Invented suppliers, as many as asked for, the same ones every time: a CSV file and the mapping that reads it."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stdnum import iban
from stdnum.de import vat as german_vat

COLUMNS = (
    "Number", "Name", "Street", "Postal Code", "City", "Country", "VAT", "DUNS", "IBAN", "Holder", "E-Mail", "Phone",
    "Terms", "Currency",
)  # fmt: skip
MAPPING: dict[str, Any] = {
    "key": "Number",
    "columns": {
        "Name": "legal_name",
        "Street": "addresses[registered].lines[0]",
        "Postal Code": "addresses[registered].postal_code",
        "City": "addresses[registered].city",
        "Country": "country",
        "VAT": "tax_registrations[VAT].number",
        "DUNS": "identifiers[DUNS].value",
        "IBAN": "bank_accounts[0].iban",
        "Holder": "bank_accounts[0].holder",
        "E-Mail": "contacts[accounts_receivable].email",
        "Phone": "contacts[accounts_receivable].phone",
        "Terms": "payment_terms",
        "Currency": "currency",
    },
}
TERMS = ("NET30", "NET45", "NET60")
AGAIN = 0.03  # of the rows repeat a company in other words, so that matching has something to find
_SYLLABLES = (
    "bar ben bor dal dor fal fen gar gel hal hen kar kel lan lor mar mel nar nor par pel ral rin sal sen tal tor val"
    " ver wal wen zor tin mon lis pra kro ste bri glu"
).split()
_TRADES = (
    "Werkzeugbau Spedition Papier Elektronik Metallbau Verpackung Druck Catering Reinigung Software Optik Textil"
    " Maschinenbau Chemie Holz Glas Pumpen Ventile Kunststoff Consulting"
).split()
_FORMS = ("GmbH", "AG", "KG", "SE", "GmbH & Co. KG", "Ltd", "SARL", "SpA")
_STREETS = ("Hafenstrasse", "Bahnhofstrasse", "Lindenweg", "Industriering", "Am Markt", "Ringstrasse", "Mühlweg")
_CITIES = (
    ("DE", "Hamburg", "20"), ("DE", "Köln", "50"), ("DE", "Dresden", "01"), ("DE", "Kassel", "34"),
    ("AT", "Wien", "10"), ("FR", "Lyon", "69"), ("FR", "Lille", "59"), ("IT", "Torino", "10"), ("NL", "Utrecht", "35"),
    ("PL", "Poznan", "60"), ("ES", "Bilbao", "48"), ("GB", "Leeds", "LS"),
)  # fmt: skip


def write(path: Path, rows: int, *, seed: int = 2026) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(COLUMNS)
        writer.writerows(suppliers(rows, seed=seed))
    return path


def suppliers(rows: int, *, seed: int = 2026) -> Iterator[list[str]]:
    chance = random.Random(seed)
    earlier: list[list[str]] = []
    for number in range(rows):
        key = f"B{number:07}"
        if earlier and chance.random() < AGAIN:
            yield _again(chance, key, chance.choice(earlier))
            continue
        row = _company(chance, key)
        if len(earlier) < 2000:
            earlier.append(row)
        yield row


def _company(chance: random.Random, key: str) -> list[str]:
    word = "".join(chance.choice(_SYLLABLES) for _ in range(3)).capitalize()
    name = f"{word} {chance.choice(_TRADES)} {chance.choice(_FORMS)}"
    country, city, post = chance.choice(_CITIES)
    postal = f"{post}{chance.randrange(1000):03}" if country != "GB" else f"LS{chance.randrange(1, 29)} 4AB"
    if country in ("AT", "NL"):
        postal = f"{post}{chance.randrange(100):02}" + (" AB" if country == "NL" else "")
    street = f"{chance.choice(_STREETS)} {chance.randrange(1, 240)}"
    mail = f"invoices@{word.lower()}-{key.lower()}.example"
    phone = f"+49 {chance.randrange(30, 999)} {chance.randrange(10**5, 10**7)}"
    german = country == "DE"
    return [
        key, name, street, postal, city, country, _vat(chance) if german else "", f"{chance.randrange(10**8, 10**9)}",
        _iban(chance) if german else "", name if german else "", mail, phone, chance.choice(TERMS),
        "GBP" if country == "GB" else "PLN" if country == "PL" else "EUR",
    ]  # fmt: skip


def _again(chance: random.Random, key: str, row: list[str]) -> list[str]:
    """The same company as another clerk would enter it: in capitals or cut short, with or without its numbers."""
    other = list(row)
    other[0] = key
    other[1] = row[1].upper() if chance.random() < 0.5 else row[1].partition(" ")[0]
    if chance.random() < 0.5:
        other[6] = other[7] = other[8] = other[9] = ""
    other[10] = f"office@{key.lower()}.example"
    return other


def _vat(chance: random.Random) -> str:
    stem = f"{chance.randrange(10**7, 10**8)}"
    return next("DE" + stem + digit for digit in "0123456789" if german_vat.is_valid(stem + digit))


def _iban(chance: random.Random) -> str:
    account = f"{chance.randrange(10**8):08}{chance.randrange(10**10):010}"
    return "DE" + iban.calc_check_digits(f"DE00{account}") + account
