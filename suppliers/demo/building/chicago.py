"""Real early-childhood providers: nine source lists, grouped into the platforms that could have held them."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from suppliers.demo.building.entry import CONCUR, COUPA, S4HANA, Entry, chance

# The city's and the state's own lists read like an ERP's vendor master (upper case, agency before site),
# the portal like a procurement catalogue (one entry per programme), the web listings like expense claims.
PLATFORM = {
    "chapin_dfss_providers_2011_070212.csv": S4HANA,
    "DFSS_AgencySiteLies_2012.csv": S4HANA,
    "IDHS_child_care_provider_list.csv": S4HANA,
    "NAEYC_accreditation.csv": S4HANA,
    "Ounce of Prevention - Site Locations.csv": S4HANA,
    "chapin_ounce_providers_2011_071112.csv": S4HANA,
    "CPS_Early_Childhood_Portal_scrape.csv": COUPA,
    "ECE Chicago Find a School scrape.csv": CONCUR,
    "purple_binder_early_childhood.csv": CONCUR,
}
UPPER = {"chapin_dfss_providers_2011_070212.csv", "DFSS_AgencySiteLies_2012.csv"}
MIGRATED = "chapin_dfss_providers_2011_070212.csv"

# Places other than Chicago that end an address in the state's list.
TOWNS = [
    "Evanston",
    "Bloomington",
    "Elgin",
    "Park Forest",
    "Macomb",
    "Creve Coeur",
    "DeKalb",
    "Chicago",
    "Highland Park",
    "Moline",
    "East Moline",
    "Paxton",
    "Oak Park",
    "Belvidere",
    "Rockford",
    "Riverdale",
    "Harvey",
    "Markham",
    "Geneseo",
    "Streator",
    "South Holland",
    "LaGrange Park",
    "DesPlaines",
    "Jacksonville",
    "Fairfield",
    "Lake Villa",
    "Kankakee",
    "Mlian",
]
_TOWN = re.compile(rf"^(.*?)[,\s]+({'|'.join(sorted(TOWNS, key=len, reverse=True))})(?:,? IL(?: (\d{{5}}))?)?$")
_HOUSE = re.compile(r"^(\d+(?:\s*-\s*\d+(?!\w))?[A-Za-z]?)(?:\s+|\s*[-,]\s*)(?=\S)(.*)$")
_EXTRA = re.compile(r"^(.*?),?\s+((?:Suite|Ste\.?|Unit|Room|P\.O\. Box|\d+(?:st|nd|rd|th) [Ff]loor)\b.*)$")


def read(path: Path) -> Iterator[Entry]:
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield _entry(row)


def _entry(row: dict[str, str]) -> Entry:
    source, address = row["source"], row["address"]
    line, city, postal_code = address, "Chicago", row["zip"] if len(row["zip"]) == 5 else ""
    if town := _TOWN.match(address):
        line, city = town[1], town[2]
        postal_code = postal_code or town[3] or ""
    house, street = "", line
    if found := _HOUSE.match(line):
        house, street = found[1], found[2]
    first, second = line, ""
    if found := _EXTRA.match(line):
        first, second = found[1], found[2]
    return Entry(
        system=PLATFORM[source],
        entity="chicago-" + row["entity_id"],
        group="chicago",
        name=row["name"],
        country="US",
        street=street,
        house=house,
        line=first,
        line2=second,
        city=city,
        region="IL",
        postal_code=postal_code,
        phone=row["phone"] if len(row["phone"]) == 7 else "",  # two rows hold a number a spreadsheet spoiled
        programme=row["program"],
        upper=source in UPPER,
        cut=35 if source == MIGRATED and chance(0.25, "cut", row["record_id"]) else 0,
    )
