"""Numbers that name an organisation: tax ids with check digits, phones, mail and web domains."""

import re
from functools import lru_cache
from importlib import import_module
from types import ModuleType

from mdm.matching.words import FREE_MAIL

# Which python-stdnum modules know a country's business tax numbers, most usual first.
_TAX_MODULES = {
    "AT": "at.uid", "BE": "be.vat", "BG": "bg.vat", "CY": "cy.vat", "CZ": "cz.dic", "DE": "de.vat de.stnr",
    "DK": "dk.cvr", "EE": "ee.kmkr", "ES": "es.nif", "FI": "fi.alv", "FR": "fr.tva fr.siren fr.siret",
    "GB": "gb.vat gb.utr", "GR": "gr.vat", "HR": "hr.oib", "HU": "hu.anum", "IE": "ie.vat", "IT": "it.iva",
    "LT": "lt.pvm", "LU": "lu.tva", "LV": "lv.pvn", "MT": "mt.vat", "NL": "nl.btw", "PL": "pl.nip",
    "PT": "pt.nif", "RO": "ro.cf", "SE": "se.vat se.orgnr", "SI": "si.ddv", "SK": "sk.dph",
    "CH": "ch.vat ch.uid",
    "NO": "no.mva no.orgnr", "TR": "tr.vkn", "UA": "ua.edrpou", "US": "us.ein", "CA": "ca.bn", "AU": "au.abn",
    "IN": "in_.gstin in_.pan", "BR": "br.cnpj", "CN": "cn.uscc", "JP": "jp.cn", "MX": "mx.rfc",
    "RS": "rs.pib",
    "RU": "ru.inn", "IL": "il.hp", "NZ": "nz.ird", "ZA": "za.tin", "KR": "kr.brn", "AR": "ar.cuit",
    "CL": "cl.rut", "CO": "co.nit", "PE": "pe.ruc", "SG": "sg.uen", "ID": "id.npwp", "TH": "th.tin",
}  # fmt: skip
_TAIL = re.compile(r"(?:MWST|TVA|IVA|MVA)$")
_PREFIX = {"GR": ("EL", "GR"), "CH": ("CHE", "CH"), "GB": ("GB", "XI")}
_CHECKED_WELL = 1  # a check digit was verified
_WRONG = 0
_UNKNOWN = None


@lru_cache(maxsize=512)
def _modules(country: str) -> tuple[ModuleType, ...]:
    return tuple(import_module(f"stdnum.{name}") for name in _TAX_MODULES.get(country, "").split())


def canonical_tax_id(number: str, country: str) -> tuple[str, str, int | None] | None:
    """(country, canonical number, 1 valid / 0 invalid / None not checkable); None when unusable.

    Written with or without the country prefix, blanks or dots, one number must come out once.
    """
    text = "".join(c for c in number[:40].upper() if c.isalnum())
    if len(text) < 4 or len(set(text)) < 3:
        return None  # 000000000, N/A, 1111: placeholders name nobody
    if text[:2] == "EL":
        country = "GR"
    elif not country and text[:3] == "CHE":
        country = "CH"
    elif not country and text[:2] in _TAX_MODULES and text[2:3].isdigit():
        country = text[:2]
    for prefix in _PREFIX.get(country, (country,)) if country else ():
        if text.startswith(prefix) and len(text) > len(prefix) + 4:
            text = text[len(prefix) :]
            break
    if country in ("CH", "NO"):
        text = _TAIL.sub("", text)
    if country == "JP":
        text = text.removeprefix("T")
    if country == "BE" and len(text) == 9:
        text = "0" + text
    return country, text, _validity(text, country)


def _validity(text: str, country: str) -> int | None:
    modules = _modules(country)
    if not modules:
        return _UNKNOWN
    for module in modules:
        if module.is_valid(text):
            return _CHECKED_WELL
    # Swiss numbers are checked with the letters that were taken off above.
    if country == "CH" and any(module.is_valid("CHE" + text) for module in modules):
        return _CHECKED_WELL
    return _WRONG


def canonical_identifier(scheme: str, value: str) -> tuple[str, str, int | None] | None:
    """(scheme, canonical value, validity) of a registered identifier: DUNS, LEI, trade register."""
    scheme = scheme.upper() or "ID"
    text = "".join(c for c in value[:60].upper() if c.isalnum())
    if scheme == "DUNS" and text.isdigit() and len(text) <= 9:
        text = text.zfill(9)
    if len(text) < 4 or len(set(text)) < 2:
        return None
    validity: int | None = None
    if scheme == "LEI":
        validity = int(import_module("stdnum.lei").is_valid(text))
    elif scheme == "DUNS":
        validity = int(len(text) == 9 and text.isdigit())
    return scheme, text, validity


def canonical_phone(text: str) -> str:
    """The last eight digits: country and trunk prefixes are written too differently to compare."""
    digits = "".join(c for c in text[:40].replace("(0)", "") if c.isdigit()).lstrip("0")
    if len(digits) < 6 or len(set(digits)) < 3:
        return ""
    return digits[-8:]


_SECOND_LEVEL = frozenset(["co", "com", "org", "net", "gov", "ac", "edu", "or", "ne", "gob", "gouv", "ltd", "plc"])


@lru_cache(maxsize=50_000)
def web_domain(text: str) -> str:
    """The registrable domain of a mail or web address; "" when there is none."""
    host = text.strip().lower()
    host = host.rsplit("@", 1)[-1]
    if "//" in host:
        host = host.split("//", 1)[1]
    host = host.split("/", 1)[0].split(":", 1)[0].strip(".")
    parts = host.split(".")
    if len(parts) < 2 or not all(parts) or len(host) > 100 or " " in host or not parts[-1].isalpha():
        return ""
    keep = 3 if len(parts) > 2 and parts[-2] in _SECOND_LEVEL and len(parts[-1]) == 2 else 2
    return ".".join(parts[-keep:])


def is_free_mail(domain: str) -> bool:
    return domain in FREE_MAIL
