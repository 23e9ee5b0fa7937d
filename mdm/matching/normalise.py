"""Normalising: a document becomes features, once, at write time. They are plain JSON with a version."""

from collections.abc import Callable
from typing import Any

from mdm.matching.config import MatchConfig, collect
from mdm.matching.countries import country_code
from mdm.matching.identifiers import (
    canonical_identifier,
    canonical_phone,
    canonical_tax_id,
    is_free_mail,
    web_domain,
)
from mdm.matching.names import parse_name, split_aliases
from mdm.matching.places import Place, build_place

VERSION = 1
_MOST = 6  # values kept of a kind; a record with hundreds of phones must not make every comparison slow
Features = dict[str, Any]
Hasher = Callable[[str], str]


def normalise(config: MatchConfig, document: dict[str, Any], hasher: Hasher | None = None) -> Features:
    country = country_code(_first(document, config.country))
    places = _places(config, document, country)
    if not country:
        country = next((p["country"] for p in places if p["country"]), "")
    cities = frozenset(p["city"] for p in places if p["city"])
    names = _names(config, document, cities)
    mails, domains = _internet(config, document)
    features: Features = {
        "v": VERSION,
        "country": country,
        "names": [{"show": show, "core": list(parts.core), "words": list(parts.words)} for show, parts in names],
        "form": next((parts.form for _, parts in names if parts.form), ""),
        "numbers": list(names[0][1].numbers) if names else [],
        "regions": list(names[0][1].places) if names else [],
        "places": [p["place"] for p in places],
        "tax": _tax_ids(config, document, country),
        "ids": _identifiers(config, document),
        "phones": _unique(canonical_phone(str(v)) for path in config.phones for v in collect(document, path)),
        "mails": mails,
        "domains": domains,
        "banks": _banks(config, document, hasher),
    }
    if not features["form"] and config.legal_form:
        stated = _first(document, config.legal_form)
        features["form"] = parse_name(f"x {stated}").form if stated else ""
    return features


def _first(document: dict[str, Any], path: str) -> str:
    found = collect(document, path)
    return str(found[0]) if found else ""


def _unique(values: Any) -> list[str]:
    return list(dict.fromkeys(value for value in values if value))[:_MOST]


def _names(config: MatchConfig, document: dict[str, Any], cities: frozenset[str]) -> list[tuple[str, Any]]:
    raw: list[str] = []
    for path in (config.name, *config.aliases):
        for value in collect(document, path):
            raw += split_aliases(str(value))
    out: dict[tuple[str, ...], tuple[str, Any]] = {}
    for text in raw[:_MOST]:
        parts = parse_name(text, cities)
        if parts.core:
            out.setdefault(parts.core, (text.strip()[:120], parts))
    return list(out.values())


def _places(config: MatchConfig, document: dict[str, Any], country: str) -> list[dict[str, Any]]:
    fields = config.addresses
    if not fields:
        return []
    out: list[dict[str, Any]] = []
    seen: list[Place] = []
    for item in collect(document, fields.items)[:_MOST]:
        lines = item.get(fields.lines) or ""
        if isinstance(lines, list | tuple):
            lines = ", ".join(str(line) for line in lines if line)
        own = country_code(item.get(fields.country)) or country
        place = build_place(str(lines), str(item.get(fields.postcode) or ""), str(item.get(fields.city) or ""), own)
        if (place["street"] or place["postcode"] or place["city"]) and place not in seen:
            seen.append(place)
            out.append({"country": own, "city": place["city"], "place": place})
    return out


def _tax_ids(config: MatchConfig, document: dict[str, Any], country: str) -> list[list[Any]]:
    fields = config.tax_ids
    out: list[list[Any]] = []
    if fields is None:
        return out
    for item in collect(document, fields.items)[:_MOST]:
        own = country_code(item.get(fields.country)) or country
        found = canonical_tax_id(str(item.get(fields.value) or ""), own)
        if found and list(found) not in out:
            out.append(list(found))
    return out


def _identifiers(config: MatchConfig, document: dict[str, Any]) -> list[list[Any]]:
    fields = config.identifiers
    out: list[list[Any]] = []
    if fields is None:
        return out
    for item in collect(document, fields.items)[:_MOST]:
        found = canonical_identifier(str(item.get(fields.scheme) or ""), str(item.get(fields.value) or ""))
        if found and list(found) not in out:
            out.append(list(found))
    return out


def _internet(config: MatchConfig, document: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Mail addresses at free providers (they name a person's box), and domains of one's own."""
    mails: list[str] = []
    domains: list[str] = []
    for path in config.emails:
        for value in collect(document, path):
            domain = web_domain(str(value)[-200:])
            if is_free_mail(domain):
                mails.append(str(value).strip().lower()[:120])
            else:
                domains.append(domain)
    for path in config.websites:
        domains += [d for d in (web_domain(str(v)[:200]) for v in collect(document, path)) if not is_free_mail(d)]
    return _unique(mails), _unique(domains)


def _banks(config: MatchConfig, document: dict[str, Any], hasher: Hasher | None) -> list[list[str]]:
    """[blind index, last four] of each account. A plain number is only hashed, never kept."""
    out: dict[str, str] = {}
    for path in config.banks:
        for value in collect(document, path):
            if isinstance(value, dict):
                if value.get("bix"):
                    out[str(value["bix"])] = str(value.get("last4") or "")[-4:]
            elif hasher is not None:
                text = "".join(c for c in str(value).upper() if c.isalnum())
                if len(text) > 5:
                    out[hasher(text)] = text[-4:]
    return [[index, last] for index, last in list(out.items())[:_MOST]]
