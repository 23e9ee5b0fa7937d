"""Derives mdm/matching/data/listed_forms.txt from two public lists of legal forms; our own list stays the authority.

python -m tests.mdm.matching.listed_forms ELF_CODES.csv ORG_TYPES.yml

ELF_CODES.csv: the ISO 20275 entity legal forms code list as GLEIF publishes it.
ORG_TYPES.yml: resources/names/org_types.yml of opensanctions/rigour.

A spelling of theirs that shares a form with one of ours gets our code; the rest get codes of their own. Kept are
spellings that can be told from ordinary words: long ones everywhere, abbreviations only in their countries.
"""

import csv
import re
import sys
from collections import defaultdict
from pathlib import Path

import yaml

from mdm.matching import legal_forms as ours
from mdm.matching.names import words_of
from mdm.matching.tables import read_lines

TARGET = Path(ours.__file__).parent / "data" / "listed_forms.txt"
HEAD = """\
# Legal forms of public lists, beyond our own legal_forms.txt; written by tests/mdm/matching/listed_forms.py.
# code | family | countries, * for anywhere | spellings, folded. Upper-case codes are ISO 20275's; what stands
# behind = are the ISO 20275 codes that mean this form (or, in front as well, that are forms of their own).
# Sources: ISO 20275 Entity Legal Forms Code List, version 1.5, published by GLEIF (gleif.org) for free use;
# names/org_types.yml of rigour (github.com/opensanctions/rigour), used under the MIT License:
# Copyright (c) 2023-2025: OpenSanctions Datenbanken GmbH. Permission is hereby granted, free of charge, to any
# person obtaining a copy of this software and associated documentation files (the "Software"), to deal in the
# Software without restriction, including without limitation the rights to use, copy, modify, merge, publish,
# distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
# furnished to do so, subject to the following conditions: The above copyright notice and this permission notice
# shall be included in all copies or substantial portions of the Software. THE SOFTWARE IS PROVIDED "AS IS", WITHOUT
# WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS
# FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY
# CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN
# CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""
FAMILIES = {"LLC": "ltd", "JSC": "plc", "LP": "part", "GP": "part", "LLP": "part", "SP": "sole"}
# Words by which a written-out form tells its family, where rigour's list does not.
FAMILY_WORDS = (
    ("coop", r"cooperat|co operat|kooperat|genossenschaft|andelslag|szovetkezet|druzstvo|spoldziel"),
    (
        "nonprofit",
        r"non ?profit|not for profit|foundation|fundaci|fondation|fondazione|stiftung|stichting|associa|verein",
    ),
    ("part", r"partner|komandit|kommandit|comandit|commandit|jawna|kollektiv|colectiv|nome collettivo|nom collectif"),
    (
        "ltd",
        r"limited liab|limitada|limitee|responsabil|beschrankt|ogranicen|ogranichen|obmezhen|rucenim|rucen|private",
    ),
    (
        "plc",
        r"anonim|anonym|aktie|aktsi|akci|akcj|actiuni|azioni|aksje|reszveny|joint stock|public|shares|dionic|delnis",
    ),
)
# They describe an organisation rather than end its name; taking them off would lose the name.
NO_ENDING = re.compile(
    r"\b(bank|church|union|trust|fund|fonds|fond|school|club|association|foundation|stiftung|verein|society|business"
    r"|commune|ministry|government|state|branch|filiale|succursale|sucursal|foreign|company|corporation|partners"
    r"|partnership|holding|group|enterprise|institute|cooperative|federation|consortium|trading|industries)$"
)
WORDS = frozenset(
    "gen soc con com ent fin org per you zhu ming wai zoo bund ong sic social confederation confederazione canton"
    " cantone kanton comune gemeinde bezirk distretto district cooperation consorzio procura procuration prokura"
    " pravnicka fyzicka undivided indivisions indivisioni chartered societe assoc assn cooperatif reit icav".split()
)
# Two letters are too often something else; these are borne by most companies of their country.
SHORT = frozenset((("EE", "ou"), ("FI", "ky"), ("EE", "tu"), ("NO", "sf"), ("NO", "ba")))


def spelled(text: str) -> str:
    return " ".join(words_of(re.sub(r"\(.*?\)", " ", text)))


def family_of(names: list[str], generic: str = "") -> str:
    if generic in FAMILIES:
        return FAMILIES[generic]
    for family, words in FAMILY_WORDS:
        if any(re.search(words, name) for name in names):
            return family
    return "any"


# Forms of one word that are nothing else, whatever the country.
CLEAR = frozenset(
    "aandelenvennootschap aktieselskabet aktsiaselts cyfyngedig einkahlutafelag hlutafelag interessentskab jusikhoesa"
    " kommandiittiyhtio kommanditselskab komanditsabiedriba mittetulundusuhing osauhing osuuskunta pilnsabiedriba"
    " partnerschaftsgesellschaft partnerselskab usaldusuhing taisuhing yuhanhoesa korporeshn sirketi".split()
)


def is_long(spelling: str) -> bool:
    words = spelling.split()
    if spelling in CLEAR:
        return True
    return len(words) > 1 and len(spelling) > 13 and max(map(len, words)) > 5


def usable(spelling: str) -> bool:
    return (
        spelling.isascii() and 1 < len(spelling) < 90 and len(spelling.split()) < 9 and not NO_ENDING.search(spelling)
    )


def rows_of_elf(path: str) -> list[tuple[str, str, list[str], list[str]]]:
    """(ELF code, country, names, abbreviations) of forms companies bear; forms without an abbreviation are left out."""
    rows = []
    with open(path, encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            columns = list(row.values())
            code, country, state = columns[0], columns[2], columns[12]
            shorts = [part for text in columns[9:11] for part in re.split(r"[;,]|\bor\b", text or "") if part.strip()]
            if country and state == "ACTV":
                names = [spelled(columns[5]), spelled(columns[8])]
                rows.append((code, country, names, [spelled(part) for part in shorts]))
    return rows


def main() -> None:
    # What is derived must not depend on what was derived before: only our own list counts here.
    known = {}
    for line in read_lines("legal_forms"):
        code, _family, spellings = (part.strip() for part in line.split("|"))
        known.update({spelling.strip(): code for spelling in spellings.split(",")})
    families: dict[str, str] = {}
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))  # code → spelling → countries

    with open(sys.argv[2], encoding="utf-8") as file:
        types = yaml.safe_load(file)["types"]
    codes: dict[str, str] = {}
    for number, kind in enumerate(types):
        names = [
            spelled(str(name)) for name in [kind.get("display") or "", kind.get("compare") or "", *kind["aliases"]]
        ]
        names = [name for name in dict.fromkeys(names) if usable(name)]
        code = next((known[name] for name in names if name in known), "")
        if not code:
            # The compare form is a word for the machine, not always one that people write.
            code = "r-" + (
                spelled(str(kind.get("compare") or kind.get("display") or "")).replace(" ", "") or str(number)
            )
        families.setdefault(code, family_of(names, str(kind.get("generic") or "")))
        for name in names:
            codes.setdefault(name, code)
            if name not in known and is_long(name):
                found[code][name].add("*")

    iso: dict[str, set[str]] = defaultdict(set)  # our code → ISO 20275 codes
    for elf, country, names, shorts in rows_of_elf(sys.argv[1]):
        both = [name for name in [*names, *shorts] if usable(name)]
        code = next((known[name] for name in both if name in known), "")
        code = code or next((codes[name] for name in both if name in codes), "")
        code = code or elf
        families.setdefault(code, family_of(both))
        iso[code].add(elf)
        if not shorts and code == elf:
            continue
        for name in both:
            if name in known or "*" in found[code].get(name, ()):
                continue
            if is_long(name) or (
                name in shorts
                and name not in WORDS
                and (len(name) > (4 if " " in name else 2) or (country, name) in SHORT)
            ):
                found[code][name].add(country)

    same: dict[str, list[str]] = defaultdict(list)  # family → ISO 20275 codes that stay what they are
    for code in iso:
        if code in iso[code]:
            same[families[code]].append(code)
    lines = [f"= | {family} | = | {' '.join(sorted(many))}" for family, many in sorted(same.items())]
    lines += [
        f"{code} | {families[code]} | = | {' '.join(sorted(many))}"
        for code, many in sorted(iso.items())
        if code not in many
    ]
    for code, spellings in sorted(found.items()):
        by_countries: dict[str, list[str]] = defaultdict(list)
        for spelling, countries in sorted(spellings.items()):
            by_countries["*" if "*" in countries else " ".join(sorted(countries))].append(spelling)
        lines += [
            f"{code} | {families[code]} | {where} | {', '.join(many)}" for where, many in sorted(by_countries.items())
        ]
    TARGET.write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(lines)} lines, {sum(len(s) for s in found.values())} spellings, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
