"""Country words as they stand in organisation names and addresses; cities with several names."""

from mdm.matching.scripts import fold
from mdm.matching.tables import read_map, read_pairs

GEO_WORDS = {fold(spelling): code for spelling, code in read_map("country_words").items()}
# Regions and countries of several words: {first word: [(the other words, longest first; one word for it)]}.
PLACE_PAIRS: dict[str, list[tuple[tuple[str, ...], str]]] = {}
for _one, _many in sorted(read_pairs("places"), key=lambda pair: -len(pair[1].split())):
    _first, *_rest = _many.split()
    PLACE_PAIRS.setdefault(_first, []).append((tuple(_rest), _one))
# Written with dots they are countries; without, «us» and «uk» may be words.
DOTTED_COUNTRIES = {"us": "usa", "usa": "usa", "uk": "uk", "uae": "uae"}
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
