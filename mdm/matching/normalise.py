"""Normalising: a document becomes features, once, at write time. They are plain JSON with a version."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from mdm.matching.config import MatchConfig, collect
from mdm.matching.countries import country_code
from mdm.matching.identifiers import (
    canonical_account,
    canonical_identifier,
    canonical_phone,
    canonical_tax_id,
    is_free_mail,
    web_domain,
)
from mdm.matching.legal_forms import stated_form
from mdm.matching.names import NameParts, parse_name, split_aliases
from mdm.matching.places import Place, build_place

VERSION = 2
_MOST = 6  # values kept of a kind; a record with hundreds of phones must not make every comparison slow
_MANY = 200  # values looked at of a kind
_LONGEST = 6000  # characters looked at of a value; anything longer is no name, number or address
Features = dict[str, Any]
Hasher = Callable[[str], str]


def normalise(config: MatchConfig, document: dict[str, Any], hasher: Hasher | None = None) -> Features:
    country = country_code(_first(document, config.country))
    places = _places(config, document, country)
    if not country:
        country = next((where for where, _ in places if where), "")
    cities = frozenset(place["city"] for _, place in places if place["city"])
    names = _names(config, document, cities, country)
    main = names[0][1] if names else None
    mails, domains = _internet(config, document)
    phones = [canonical_phone(text, country) for text in _texts(document, config.phones)]
    banks, checked = _banks(config, document, hasher)
    return {
        "v": VERSION,
        "country": country,
        "names": [
            {
                "show": show,
                "core": list(parts.core),
                "words": list(parts.words),
                "joined": parts.joined,
                "initials": _initials(parts),
            }
            for show, parts in names
        ],
        "form": next((parts.form for _, parts in names if parts.form), "") or _stated(config, document, country),
        "numbers": list(main.numbers) if main else [],
        "regions": list(main.places) if main else [],
        "places": [place for _, place in places],
        "tax": _tax_ids(config, document, country),
        "ids": _identifiers(config, document),
        "phones": _unique(phones),
        "mails": mails,
        "domains": domains,
        "banks": banks,
        "banks_valid": checked,
    }


@lru_cache(maxsize=1000)
def _getter(path: str) -> Callable[[dict[str, Any]], list[Any]]:
    """What finds all non-empty values at a path; the usual shapes of a path have a way of their own."""
    steps = [(step.removesuffix("[]"), step.endswith("[]")) for step in path.split(".")] if path else []
    if not steps:
        return lambda document: []
    first, many = steps[0]
    if len(steps) == 1 and many:
        return lambda document: [value for value in document.get(first) or () if value][:_MANY]
    if len(steps) == 1:
        return lambda document: [value] if (value := document.get(first)) else []
    if len(steps) == 2 and many and not steps[1][1]:
        second = steps[1][0]

        def of_each(document: dict[str, Any]) -> list[Any]:
            items = document.get(first) or ()
            return [value for item in items if isinstance(item, dict) and (value := item.get(second))][:_MANY]

        return of_each
    return lambda document: collect(document, path)[:_MANY]


def _collect(document: dict[str, Any], path: str) -> list[Any]:
    """All non-empty values at a path of a document; a missing step is simply no value."""
    return _getter(path)(document)


def _texts(document: dict[str, Any], paths: Iterable[str]) -> list[str]:
    return [_text(value) for path in paths for value in _collect(document, path)]


def _text(value: Any) -> str:
    return str(value or "")[:_LONGEST]


def _first(document: dict[str, Any], path: str) -> str:
    found = _collect(document, path)
    return _text(found[0]) if found else ""


def _unique(values: list[str]) -> list[str]:
    return [value for value in dict.fromkeys(values) if value][:_MOST]


def _names(
    config: MatchConfig, document: dict[str, Any], cities: frozenset[str], country: str
) -> list[tuple[str, NameParts]]:
    raw: list[str] = []
    for text in _texts(document, (config.name, *config.aliases)):
        raw += split_aliases(text)
    out: dict[tuple[str, ...], tuple[str, NameParts]] = {}
    for text in raw[:_MOST]:
        parts = parse_name(text, cities, country)
        if parts.core:
            out.setdefault(parts.core, (text.strip()[:120], parts))
    return list(out.values())


def _initials(parts: NameParts) -> str:
    """What stands for the name among abbreviations: bmw for Bayerische Motoren Werke, and for BMW."""
    if len(parts.core) == 1:
        return parts.words[0] if 2 < len(parts.words[0]) < 8 else ""
    return parts.initials[0] if parts.initials else ""


def _stated(config: MatchConfig, document: dict[str, Any], country: str) -> str:
    """The legal form of its own field: an ISO 20275 code, or written as in a name."""
    stated = _first(document, config.legal_form)
    return (stated_form(stated) or parse_name(f"x {stated}", country=country).form) if stated else ""


def _places(config: MatchConfig, document: dict[str, Any], country: str) -> list[tuple[str, Place]]:
    fields = config.addresses
    if not fields:
        return []
    out: list[tuple[str, Place]] = []
    seen: list[Place] = []
    for item in _collect(document, fields.items)[:_MOST]:
        lines = item.get(fields.lines) or ""
        if isinstance(lines, list | tuple):
            lines = ", ".join([_text(line) for line in lines[:_MOST] if line])
        own = country_code(_text(item.get(fields.country))) or country
        place = build_place(_text(lines), _text(item.get(fields.postcode)), _text(item.get(fields.city)), own)
        if (place["street"] or place["postcode"] or place["city"]) and place not in seen:
            seen.append(place)
            out.append((own, place))
    return out


def _tax_ids(config: MatchConfig, document: dict[str, Any], country: str) -> list[list[Any]]:
    fields = config.tax_ids
    out: list[list[Any]] = []
    if fields is None:
        return out
    for item in _collect(document, fields.items)[:_MOST]:
        own = country_code(_text(item.get(fields.country))) or country
        found = canonical_tax_id(_text(item.get(fields.value))[:60], own)
        if found and list(found) not in out:
            out.append(list(found))
    return out


def _identifiers(config: MatchConfig, document: dict[str, Any]) -> list[list[Any]]:
    fields = config.identifiers
    out: list[list[Any]] = []
    if fields is None:
        return out
    for item in _collect(document, fields.items)[:_MOST]:
        found = canonical_identifier(_text(item.get(fields.scheme)), _text(item.get(fields.value)))
        if found and list(found) not in out:
            out.append(list(found))
    return out


def _internet(config: MatchConfig, document: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Mail addresses at free providers (they name a person's box), and domains of one's own."""
    mails: list[str] = []
    domains: list[str] = []
    for text in _texts(document, config.emails):
        domain = web_domain(text[-200:])
        if is_free_mail(domain):
            mails.append(text.strip().lower()[:120])
        else:
            domains.append(domain)
    domains += [
        d for d in (web_domain(text[:200]) for text in _texts(document, config.websites)) if not is_free_mail(d)
    ]
    return _unique(mails), _unique(domains)


def _banks(
    config: MatchConfig, document: dict[str, Any], hasher: Hasher | None
) -> tuple[list[list[str]], list[int | None]]:
    """[blind index, last four] of each account, and whether its check digits are right (None: cannot be told).

    A plain number is only hashed, never kept. Sealed ones were checked before they were sealed, or not at all.
    """
    out: dict[str, tuple[str, int | None]] = {}
    for path in config.banks:
        for value in _collect(document, path):
            if isinstance(value, dict):
                if value.get("bix"):
                    out[str(value["bix"])] = str(value.get("last4") or "")[-4:], None
            elif hasher is not None:
                found = canonical_account(_text(value))
                if found:
                    out[hasher(found[0])] = found[0][-4:], found[1]
    kept = list(out.items())[:_MOST]
    return [[index, last] for index, (last, _) in kept], [valid for _, (_, valid) in kept]
