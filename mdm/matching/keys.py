"""Keys: the hashed values a record is found by. Two records are compared only when they share one."""

from hashlib import blake2b
from typing import Any, NamedTuple

from mdm.matching.words import COMMON


class Key(NamedTuple):
    kind: str
    hash: int  # signed 64 bits, as a PostgreSQL bigint; the same in every process and on every machine


# Kinds that nearly name the record by themselves; the others are only hints and count by their rarity.
STRONG = frozenset({"tax", "id", "bank", "mail"})
MOST_KEYS = 32


def hash_key(kind: str, value: str) -> int:
    digest = blake2b(f"{kind}\x1f{value}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def build_keys(features: dict[str, Any]) -> list[Key]:
    values = [(kind, value) for kind, value in _values(features) if value]
    return [Key(kind, hash_key(kind, value)) for kind, value in dict.fromkeys(values)][:MOST_KEYS]


def _values(features: dict[str, Any]) -> list[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    out += [("tax", number) for _country, number, _valid in features["tax"]]
    out += [("id", f"{scheme}|{value}") for scheme, value, _valid in features["ids"]]
    out += [("bank", index) for index, _last in features["banks"]]
    out += [("phone", phone[-7:]) for phone in features["phones"]]
    out += [("mail", mail) for mail in features["mails"]]
    out += [("domain", domain) for domain in features["domains"]]
    places = features["places"][:3]
    for place in places:
        if place["street"] and place["number"]:
            out.append(("street", f"{place['street'].replace(' ', '')}|{place['number']}"))
    for name in features["names"][:3]:
        out += _name_values(name["core"], places, features["country"])
    return out


def _name_values(core: list[str], places: list[Any], country: str) -> list[tuple[str, str]]:
    joined = "".join(sorted(core))
    out = [("name", joined)]
    # The longest uncommon words stand in for the rarest ones, which only the whole data could tell; words
    # that turn out frequent make generic keys, and those are skipped when keys are looked up.
    words = sorted(set(core), key=lambda word: (word in COMMON, -len(word), word))[:3]
    start = "".join(core)[:5]
    for place in places:
        for part in (place["postcode"], place["city"]):
            if part:
                out.append(("start_place", f"{start}|{part}"))
                out += [("word_place", f"{word}|{part}") for word in words[:2] if len(word) > 2]
    out += [("word", f"{word}|{country}") for word in words if len(word) > 3 and word not in COMMON]
    if len(core) > 2:
        out.append(("initials", f"{''.join(word[0] for word in core)}|{country}"))
    elif len(core) == 1 and len(core[0]) < 6:
        out.append(("initials", f"{core[0]}|{country}"))
    return out
