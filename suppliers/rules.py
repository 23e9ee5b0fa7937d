"""What must be true of a supplier beyond the shape of its document, and the risks a reviewer should see."""

from __future__ import annotations

from stdnum import get_cc_module, lei
from stdnum.eu import vat

from mdm.types import Document, Problem


def tax_number_valid(registration: Document) -> bool | None:
    """True or False by check digits; None where python-stdnum knows no rule for this country and scheme."""
    country, number = (registration.get("country") or "").lower(), registration["number"]
    if registration["scheme"].upper() == "VAT" and country in vat.MEMBER_STATES | {"gr"}:
        return bool(vat.is_valid(number if number[:2].isalpha() else f"{country}{number}"))
    module = get_cc_module(country, "vat") if country and registration["scheme"].upper() == "VAT" else None
    return bool(module.is_valid(number)) if module else None


def check_bank_accounts(document: Document) -> list[Problem]:
    problems = []
    for index, account in enumerate(document.get("bank_accounts") or []):
        path = f"bank_accounts/{account.get('uid') or index}"
        if not account.get("iban") and not account.get("account_number"):
            problems.append(Problem(f"{path}/iban", "missing", "A bank account needs an IBAN or an account number."))
        if account.get("valid_from") and account.get("valid_to") and account["valid_from"] > account["valid_to"]:
            problems.append(Problem(f"{path}/valid_to", "ends_before_start", "This account ends before it starts."))
    return problems


def check_identifiers(document: Document) -> list[Problem]:
    problems = []
    for index, identifier in enumerate(document.get("identifiers") or []):
        path = f"identifiers/{identifier.get('uid') or index}/value"
        scheme, value = identifier["scheme"].upper(), identifier["value"].replace("-", "").replace(" ", "")
        if scheme == "LEI" and not lei.is_valid(value):
            problems.append(Problem(path, "invalid_lei", "This LEI is not valid: its check digits do not fit."))
        if scheme == "DUNS" and not (value.isdigit() and len(value) == 9):
            problems.append(Problem(path, "invalid_duns", "A DUNS number has nine digits."))
    return problems


def check_twins(document: Document) -> list[Problem]:
    """One row per legal entity: two extensions for one entity would leave targets guessing."""
    seen: set[str] = set()
    problems = []
    for index, extension in enumerate(document.get("extensions") or []):
        if extension["legal_entity"] in seen:
            path = f"extensions/{extension.get('uid') or index}/legal_entity"
            problems.append(Problem(path, "twice", f"{extension['legal_entity']} is named twice."))
        seen.add(extension["legal_entity"])
    return problems


def check_parent(document: Document) -> list[Problem]:
    if document.get("parent") and document.get("parent") == document.get("uid"):
        return [Problem("parent", "own_parent", "A supplier cannot be its own parent.")]
    if document.get("uid") in (document.get("siblings") or ()):
        return [Problem("siblings", "own_sibling", "A supplier cannot be its own sister company.")]
    return []
