"""Comparing: two records become one level per feature ("same", "conflict", "unknown" …); no weights here."""

from dataclasses import dataclass
from typing import Any

from rapidfuzz import fuzz

from mdm.matching.keys import hash_key
from mdm.matching.legal_forms import FAMILY
from mdm.matching.levels import INDEX
from mdm.matching.name_similarity import NameMatch, match_names
from mdm.matching.rarity import TokenWeights

# A phone, domain or address that this many records hold is an office centre, a group, an agent.
SHARED_FROM = 6
BANK_NAME_LEVEL = INDEX["name"]["partial"]
BANK_OTHER_WORDS = INDEX["other_words"]["usual"]


@dataclass(frozen=True, slots=True)
class Record:
    """Features unpacked for comparing; made once per record, used for many pairs."""

    features: dict[str, Any]
    names: tuple[tuple[str, ...], ...]
    cores: tuple[str, ...]
    form: str
    family: str
    numbers: frozenset[str]
    regions: frozenset[str]
    country: str
    places: tuple[tuple[str, str, str, str, str, str], ...]
    tax: tuple[tuple[str, str, int | None], ...]
    ids: dict[str, frozenset[str]]
    phones: tuple[str, ...]
    domains: frozenset[str]
    mails: frozenset[str]
    banks: frozenset[str]


def unpack(features: dict[str, Any]) -> Record:
    ids: dict[str, set[str]] = {}
    for scheme, value, validity in features["ids"]:
        if validity != 0:
            ids.setdefault(scheme, set()).add(value)
    names = tuple(tuple(name["core"]) for name in features["names"])
    form = features["form"]
    return Record(
        features=features,
        names=names,
        cores=tuple("".join(core) for core in names),
        form=form,
        family=FAMILY.get(form, ""),
        numbers=frozenset(features["numbers"]),
        regions=frozenset(features["regions"]),
        country=features["country"],
        places=tuple(
            (p["street"], p["number"], p["side"], p["postcode"], p["city"], p["street"].replace(" ", ""))
            for p in features["places"]
        ),
        tax=tuple((c, n, v) for c, n, v in features["tax"]),
        ids={scheme: frozenset(values) for scheme, values in ids.items()},
        phones=tuple(features["phones"]),
        domains=frozenset(features["domains"]),
        mails=frozenset(features["mails"]),
        banks=frozenset(index for index, _last in features["banks"]),
    )


@dataclass(frozen=True, slots=True)
class Comparison:
    levels: tuple[int, ...]  # one index into LEVELS[feature] per feature, in the order of FEATURES
    name: NameMatch
    place: tuple[int, int]  # which address of each side was compared


def compare_records(left: Record, right: Record, weights: TokenWeights) -> Comparison:
    name = match_names(left.names, right.names, left.cores, right.cores, weights)
    street, postcode, city, place = _best_place(left, right, weights)
    tax = _tax(left, right)
    phone = _phone(left.phones, right.phones, weights)
    domain = _domain(left.domains, right.domains, weights)
    number = _sets(left.numbers, right.numbers)
    region = _sets(left.regions, right.regions)
    country = 0 if not left.country or not right.country else (1 if left.country == right.country else 2)
    levels = (
        name.level, name.rarity, name.other_words, name.extra_words, name.spelling, name.via,
        _form(left, right), number, region, country, street, postcode, city, tax,
        _identifier(left.ids, right.ids), phone, domain,
        0 if not left.mails or not right.mails else (2 if left.mails.isdisjoint(right.mails) else 1),
        _bank(left.banks, right.banks, name),
        _pattern(name, street, postcode, city, phone, domain),
    )  # fmt: skip
    return Comparison(levels, name, place)


def _sets(left: frozenset[str], right: frozenset[str]) -> int:
    if not left or not right:
        return 2 if left or right else 0
    return 1 if left == right else 3


def _form(left: Record, right: Record) -> int:
    if not left.form or not right.form:
        return 0
    if left.form == right.form:
        return 1
    alike = left.family == right.family or "any" in (left.family, right.family)
    return 2 if alike else 3


def _tax(left: Record, right: Record) -> int:
    """Ternary evidence: same, different, unknown. Only two VALID numbers of one country can contradict."""
    level = 0
    for country, number, valid in left.tax:
        for other_country, other, other_valid in right.tax:
            if number == other and (country == other_country or not country or not other_country):
                return 1 if valid != 0 else 2
            if country != other_country or not country:
                continue
            if valid and other_valid:
                level = 5 if level == 0 or level == 4 else level
            elif len(number) == len(other) and _near(number, other):
                level = 3
            elif level == 0:
                level = 4
    return level


def _near(left: str, right: str) -> bool:
    """One digit wrong, or two neighbours swapped."""
    wrong = [i for i in range(len(left)) if left[i] != right[i]]
    if len(wrong) == 1:
        return True
    return len(wrong) == 2 and left[wrong[0]] == right[wrong[1]] and left[wrong[1]] == right[wrong[0]]


def _identifier(left: dict[str, frozenset[str]], right: dict[str, frozenset[str]]) -> int:
    level = 0
    for scheme in left.keys() & right.keys():
        if not left[scheme].isdisjoint(right[scheme]):
            return 1
        level = 2
    return level


def _phone(left: tuple[str, ...], right: tuple[str, ...], weights: TokenWeights) -> int:
    if not left or not right:
        return 0
    level = 4
    for one in left:
        for other in right:
            if one == other or (one[-7:] == other[-7:] and len(one) != len(other)):
                return 2 if weights.key_count(hash_key("phone", one[-7:])) >= SHARED_FROM else 1
            if one[:-2] == other[:-2]:
                level = 3
    return level


def _domain(left: frozenset[str], right: frozenset[str], weights: TokenWeights) -> int:
    if not left or not right:
        return 0
    common = left & right
    if common:
        shared = min(weights.key_count(hash_key("domain", domain)) for domain in common)
        return 2 if shared >= SHARED_FROM else 1
    for one in left:
        stem = one.split(".", 1)[0]
        if len(stem) > 3 and any(stem == other.split(".", 1)[0] for other in right):
            return 3
    return 4


def _bank(left: frozenset[str], right: frozenset[str], name: NameMatch) -> int:
    """One account is evidence only when the names agree; else it is a warning (factoring, fraud, a pool)."""
    if not left or not right:
        return 0
    if left.isdisjoint(right):
        return 3
    return 2 if name.level < BANK_NAME_LEVEL or name.other_words >= BANK_OTHER_WORDS else 1


def _best_place(left: Record, right: Record, weights: TokenWeights) -> tuple[int, int, int, tuple[int, int]]:
    if not left.places or not right.places:
        return 0, 0, 0, (0, 0)
    best: tuple[int, int, int] = (0, 0, 0)
    best_points, where = -1, (0, 0)
    for i, one in enumerate(left.places):
        for j, other in enumerate(right.places):
            street, postcode, city = _street(one, other), _postcode(one[3], other[3]), _city(one[4], other[4])
            points = _STREET_POINTS[street] + _POSTCODE_POINTS[postcode] + _CITY_POINTS[city]
            # On equal points the levels decide, not the order of the lists: left and right stay exchangeable.
            if points > best_points or (points == best_points and (street, postcode, city) < best):
                best, best_points, where = (street, postcode, city), points, (i, j)
    street, postcode, city = best
    if street == 1:
        place = left.places[where[0]]
        if weights.key_count(hash_key("street", f"{place[5]}|{place[1]}")) >= SHARED_FROM:
            street = 2
    return street, postcode, city, where


_STREET_POINTS = (3, 10, 10, 8, 6, 3, 2, 0)
_POSTCODE_POINTS = (2, 5, 4, 2, 0)
_CITY_POINTS = (1, 3, 2, 0)


def _street(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    if not one[0] or not other[0]:
        return 0
    similarity = 100.0 if one[0] == other[0] else fuzz.ratio(one[5], other[5])
    same_number = one[1] == other[1]
    sides = one[2] and other[2] and one[2] != other[2]
    if sides and similarity > 70:
        return 5
    short, long = (one[0], other[0]) if len(one[0]) < len(other[0]) else (other[0], one[0])
    if similarity < 80 and len(short) > 3 and long.startswith(short):
        similarity = 90.0  # a field cut at 25 characters, or a second line on one side only
    if similarity < 72:
        return 6 if same_number and one[1] else 7
    if not one[1] or not other[1]:
        return 4
    if not same_number:
        return 5
    return 1 if similarity >= 92 else 3


def _postcode(one: str, other: str) -> int:
    if not one or not other:
        return 0
    if one == other:
        return 1
    if len(one) == len(other) and len(one) > 3 and _near(one, other):
        return 2
    return 3 if one[:2] == other[:2] else 4


def _city(one: str, other: str) -> int:
    if not one or not other:
        return 0
    if one == other:
        return 1
    if fuzz.ratio(one, other) >= 75 or one.startswith(other) or other.startswith(one):
        return 2
    return 3


def _pattern(name: NameMatch, street: int, postcode: int, city: int, phone: int, domain: int) -> int:
    """What the agreements look like together: a relative of the group, a namesake, a company that moved."""
    near = (street in (1, 2, 3)) + (phone in (1, 2, 3)) + (domain in (1, 2))
    far = (street == 7) + (postcode == 4) + (city == 3) + (phone == 4) + (domain == 4)
    if name.other_words >= 2 and near:
        return 2 if name.other_words >= 3 and near > 1 else 1
    if name.level >= 6 and not near and far > 1:
        return 3
    if name.level >= 6 and near and far:
        return 4
    if name.level >= 6 and near > 1 and not far:
        return 5
    return 0
