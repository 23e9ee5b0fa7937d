"""Country words as they stand in organisation names and addresses; cities with several names."""

import re

from mdm.matching.tables import read_map

GEO_WORDS = read_map("country_words")
COUNTRY_PAIRS = {
    "united states of america": "usa", "united states": "usa", "united kingdom": "uk", "great britain": "uk",
    "new zealand": "zealand", "hong kong": "hongkong", "south africa": "zafrica", "saudi arabia": "saudi",
    "south korea": "korea",
    "united arab emirates": "uae", "czech republic": "czechia", "u.s.a.": "usa", "u.s.": "usa",
    "u.k.": "uk",
}  # fmt: skip
TWO_WORDS = re.compile("|".join(rf"\b{re.escape(pair)}" for pair in sorted(COUNTRY_PAIRS, key=len, reverse=True)))
# What a full country name is written as in address fields that hold no ISO code.
ISO3 = {
    "usa": "US", "deu": "DE", "fra": "FR", "ita": "IT", "esp": "ES", "gbr": "GB", "che": "CH", "aut": "AT",
    "nld": "NL", "bel": "BE", "pol": "PL", "can": "CA", "chn": "CN", "jpn": "JP", "ind": "IN", "bra": "BR",
    "irl": "IE", "swe": "SE", "dnk": "DK", "nor": "NO", "fin": "FI", "prt": "PT", "cze": "CZ", "aus": "AU",
    "united kingdom": "GB", "united states": "US", "united states of america": "US", "great britain": "GB",
    "the netherlands": "NL", "czech republic": "CZ", "el": "GR",
}  # fmt: skip
CITY_ALIASES = {alias.replace("_", " "): city.replace("_", " ") for alias, city in read_map("cities").items()}


def country_code(text: str | None) -> str:
    """ISO code of a country written as a code or a name; "" when it says nothing we know."""
    if not text:
        return ""
    text = text.strip()
    if len(text) == 2 and text.isascii():
        code = text.upper()
        return {"UK": "GB", "EL": "GR"}.get(code, code)
    low = text.lower()
    code = ISO3.get(low) or GEO_WORDS.get(low, "")
    return "" if code.startswith("~") else code
