"""Numbers that name an organisation: tax ids with check digits, phones, mail and web domains."""

import re
from functools import lru_cache
from importlib import import_module
from types import ModuleType

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE
from phonenumbers.phonemetadata import PhoneMetadata

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
_NOT_ALNUM = re.compile(r"[\W_]+")
_NOT_DIGIT = re.compile(r"[^0-9]+")


@lru_cache(maxsize=512)
def _modules(country: str) -> tuple[ModuleType, ...]:
    return tuple(import_module(f"stdnum.{name}") for name in _TAX_MODULES.get(country, "").split())


@lru_cache(maxsize=50_000)
def canonical_tax_id(number: str, country: str) -> tuple[str, str, int | None] | None:
    """(country, canonical number, 1 valid / 0 invalid / None not checkable); None when unusable.

    Written with or without the country prefix, blanks or dots, one number must come out once.
    """
    text = _NOT_ALNUM.sub("", number[:40].upper())
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


# Other spellings of schemes, letters and digits only.
_SCHEMES = {
    "DUNSNUMBER": "DUNS", "DUNSNO": "DUNS", "DNBDUNS": "DUNS", "DNB": "DUNS", "LEICODE": "LEI", "ISO17442": "LEI",
    "GLNCODE": "GLN", "ILN": "GLN",
}  # fmt: skip
_LETTERS_OF_UEI = re.compile("[A-HJ-NP-Z1-9][A-HJ-NP-Z0-9]{11}")


def canonical_identifier(scheme: str, value: str) -> tuple[str, str, int | None] | None:
    """(scheme, canonical value, 1 valid / 0 invalid / None not checkable) of a registered identifier.

    LEI, GLN and IBAN have check digits; DUNS lost its one in 2006, so only its shape tells.
    """
    scheme = _NOT_ALNUM.sub("", scheme[:60].upper()) or "ID"
    scheme = _SCHEMES.get(scheme, scheme)
    text = _NOT_ALNUM.sub("", value[:60].upper())
    if scheme == "DUNS" and text.isdigit() and len(text) <= 9:
        text = text.zfill(9)
    if len(text) < 4 or len(set(text)) < 2:
        return None
    validity: int | None = _UNKNOWN
    if scheme == "LEI":
        validity = int(import_module("stdnum.lei").is_valid(text))
    elif scheme == "GLN":
        validity = int(len(text) == 13 and import_module("stdnum.ean").is_valid(text))
    elif scheme == "DUNS":
        validity = int(len(text) == 9 and text.isdigit())
    elif scheme == "UEI":
        validity = int(_LETTERS_OF_UEI.fullmatch(text) is not None)
    return scheme, text, validity


_IBAN_DIGITS = {ord(letter): str(value) for value, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ", start=10)}


def canonical_account(text: str) -> tuple[str, int | None] | None:
    """(canonical number, validity) of a bank account: of an IBAN the check digits are verified, of others nothing can be.

    None for what is no account: too short, or one digit over and over.
    """
    number = _NOT_ALNUM.sub("", text[:60].upper()).removeprefix("IBAN")
    if len(number) < 6 or len(set(number)) < 2:
        return None
    if len(number) > 14 and number[:2].isalpha() and number[2:4].isdigit():
        moved = (number[4:] + number[:4]).translate(_IBAN_DIGITS)
        return number, int(len(number) < 35 and moved.isascii() and moved.isdigit() and int(moved) % 97 == 1)
    return number, _UNKNOWN


_EXTENSION = re.compile(r"\s*(?:extension|extn?\.?|x|durchwahl|dw\.?|poste|#|;)\s*:?\.?\s*\d{1,6}\s*$", re.IGNORECASE)


@lru_cache(maxsize=512)
def _region(country: str) -> tuple[str, str, frozenset[int], "re.Pattern[str]"] | None:
    """(calling code, trunk prefix, lengths and pattern of its national numbers) as phonenumbers knows them."""
    known = PhoneMetadata.metadata_for_region(country) if country else None
    plan = known.general_desc if known else None
    if known is None or plan is None or plan.national_number_pattern is None:
        return None
    pattern = re.compile(plan.national_number_pattern)
    return str(known.country_code), known.national_prefix or "", frozenset(plan.possible_length), pattern


@lru_cache(maxsize=512)
def _country_of_calling_code(code: str) -> str:
    return COUNTRY_CODE_TO_REGION_CODE.get(int(code), ("",))[0]


def canonical_phone(text: str, country: str = "") -> str:
    """Digits with the calling code (498912345678) where the country's plan knows the number, else the last eight.

    A number without calling code is read as one of `country`. Extensions are left out: the house is the same.
    """
    text = _EXTENSION.sub("", text[:60])[:40].replace("(0)", "")
    digits = _NOT_DIGIT.sub("", text)
    if len(digits.lstrip("0")) < 6 or len(set(digits)) < 3:
        return ""
    if text.lstrip(" (")[:1] == "+" or digits[:2] == "00":
        full = _of_plan(digits.removeprefix("00").lstrip("0"))
    else:
        full = _at_home(digits, country)
    return full or digits.lstrip("0")[-8:]


def _of_plan(digits: str) -> str:
    for size in (1, 2, 3):
        home = _country_of_calling_code(digits[:size])
        if home:
            plan = _region(home)
            return _fitted(digits[size:], digits[:size], plan[1], plan[2]) if plan else ""
    return ""


def _at_home(digits: str, country: str) -> str:
    plan = _region(country)
    if plan is None:
        return ""
    code, trunk, lengths, pattern = plan
    national = digits[len(trunk) :] if trunk and digits.startswith(trunk) else digits
    if len(national) in lengths and (national != digits or not trunk or pattern.fullmatch(national)):
        return code + national.lstrip("0")
    # «49 89 1234567»: the calling code without its plus.
    return _fitted(digits[len(code) :], code, trunk, lengths) if digits.startswith(code) else ""


def _fitted(national: str, code: str, trunk: str, lengths: frozenset[int]) -> str:
    if trunk and national.startswith(trunk) and len(national) - len(trunk) in lengths:
        national = national[len(trunk) :]
    # Italians keep the zero of the area when calling from abroad, others drop it: without it both are one.
    return code + national.lstrip("0") if len(national) in lengths else ""


_SECOND_LEVEL = frozenset(
    "co com org net gov ac edu or ne gob gouv ltd plc go gen nom asn id mil nhs sch govt ind firm in web biz".split()
)


@lru_cache(maxsize=50_000)
def web_domain(text: str) -> str:
    """The registrable domain of a mail or web address; "" when there is none."""
    host = text.strip().lower()
    host = host.rsplit("@", 1)[-1]
    if "//" in host:
        host = host.split("//", 1)[1]
    host = host.split("/", 1)[0].split(":", 1)[0].split("?", 1)[0].strip(".")
    if not host.isascii():
        try:
            host = host.encode("idna").decode()  # müller.de and xn--mller-kva.de are one
        except UnicodeError:
            return ""
    parts = host.split(".")
    if len(parts) < 2 or not all(parts) or len(host) > 100 or " " in host or parts[-1].isdigit():
        return ""
    if not parts[-1].isalpha() and not parts[-1].startswith("xn--"):
        return ""
    keep = 3 if len(parts) > 2 and parts[-2] in _SECOND_LEVEL and len(parts[-1]) == 2 else 2
    return ".".join(parts[-keep:])


def is_free_mail(domain: str) -> bool:
    """Whether anyone can have an address there: mail providers, and platforms that host pages of many."""
    return domain in FREE_MAIL
