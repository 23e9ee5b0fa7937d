"""Suppliers whose truth is plain to see: true duplicates and true siblings, for tests that tell a story."""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import combinations

from suppliers.demo.building.entry import SYSTEMS, Entry, number

Pair = dict[str, object]


def by_entity(entries: list[Entry]) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        found[entry.entity].append(entry)
    return found


def duplicates(entries: list[Entry], group: str, count: int) -> list[tuple[Entry, Entry, list[str]]]:
    """Pairs across files that share a number, or name, phone and house: nobody would doubt them."""
    found = []
    for members in by_entity([entry for entry in entries if entry.group == group]).values():
        for left, right in combinations(members, 2):
            shared = _shared(left, right)
            if left.system != right.system and _convincing(group, shared):
                found.append((left, right, shared))
                break
    return _some(found, count)


def siblings(entries: list[Entry], group: str, count: int) -> list[tuple[Entry, Entry, list[str]]]:
    """Pairs of one corporate family that are different companies, however alike."""
    families: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.group == group and entry.family:
            families[entry.family].append(entry)
    found = []
    for members in families.values():
        for left, right in combinations(members, 2):
            if left.entity != right.entity and _apart(left, right):
                found.append((left, right, _shared(left, right)))
                break
    return _some(found, count)


def _apart(left: Entry, right: Entry) -> bool:
    """Two companies by their own numbers, and one family by more than a name they happen to share."""
    numbers = (left.vat, right.vat) if left.group == "nordhaven" else (left.duns, right.duns)
    return all(numbers) and numbers[0] != numbers[1] and "homonym" not in left.family


def in_all_three(entries: list[Entry], group: str, count: int) -> list[dict[str, Entry]]:
    """Suppliers with exactly one key at every platform, whose rows a strict rule would bring together."""
    found = []
    for members in by_entity([entry for entry in entries if entry.group == group]).values():
        if len(members) != 3 or {entry.system for entry in members} != set(SYSTEMS):
            continue
        links = [pair for pair in combinations(members, 2) if _convincing(group, _shared(*pair))]
        if len(links) >= 2:
            found.append({entry.system: entry for entry in members})
    found.sort(key=lambda keys: number("story", *(entry.key for entry in keys.values())))
    return found[:count]


def _some(found: list[tuple[Entry, Entry, list[str]]], count: int) -> list[tuple[Entry, Entry, list[str]]]:
    return sorted(found, key=lambda pair: number("story", pair[0].key, pair[1].key))[:count]


def _convincing(group: str, shared: list[str]) -> bool:
    if group == "chicago":
        return {"name", "phone", "house_number"} <= set(shared)
    return bool({"vat", "iban", "duns"} & set(shared))


def _shared(left: Entry, right: Entry) -> list[str]:
    pairs = {
        "name": (words(left.name), words(right.name)),
        "vat": (bare(left.vat, left.country), bare(right.vat, right.country)),
        "iban": (left.iban, right.iban),
        "duns": (left.duns, right.duns),
        "phone": (left.phone, right.phone),
        "house_number": (left.house, right.house),
        "postal_code": (left.postal_code[:5], right.postal_code[:5]),
        "email": (left.email, right.email),
    }
    return [what for what, (one, other) in pairs.items() if _same(one, other)]


def _same(one: str, other: str) -> bool:
    return bool(one) and one == other


def words(name: str) -> str:
    return " ".join(sorted(re.findall(r"\w+", re.sub(r" \([^()]*\)$", "", name).casefold())))


def bare(vat: str, country: str) -> str:
    return "".join(ch for ch in vat if ch.isalnum()).removeprefix({"GR": "EL"}.get(country, country))
