"""Risks of a supplier change that a reviewer must see, each with its evidence (bank fraud comes first)."""

from __future__ import annotations

import re
import unicodedata
from datetime import timedelta
from typing import Any

from django.utils import timezone

from mdm import crypto
from mdm.models import RecordVersion
from mdm.types import Document, same
from suppliers.models import BankAccount

_SCRIPTS = ("LATIN", "CYRILLIC", "GREEK", "CJK", "HIRAGANA", "KATAKANA", "HANGUL", "ARABIC", "HEBREW", "THAI")


def _flag(code: str, severity: str, message: str, evidence: str = "") -> dict[str, Any]:
    return {"code": code, "severity": severity, "message": message, "evidence": evidence}


def _changed_accounts(before: Document | None, after: Document) -> list[Document]:
    known = {row["uid"]: row for row in (before or {}).get("bank_accounts") or []}
    return [
        row
        for row in after.get("bank_accounts") or []
        if row["uid"] not in known
        or any(
            not same(row.get(k), known[row["uid"]].get(k)) for k in ("iban", "account_number", "holder", "bank_code")
        )
    ]


def bank_risks(uid: str, before: Document | None, after: Document) -> list[dict[str, Any]]:
    """Flags for new or changed bank accounts; none when no account changes."""
    changed = _changed_accounts(before, after)
    if not changed:
        return []
    flags = []
    if before:
        flags.append(_flag("bank_change", "high", "The bank account changes.", _accounts(changed)))
        flags += _recent_contact(uid)
    for account in changed:
        flags += _account_risks(uid, account, after)
    return flags


def _accounts(rows: list[Document]) -> str:
    return ", ".join(str(crypto.mask(row.get("iban") or row.get("account_number"))) for row in rows)


def _account_risks(uid: str, account: Document, after: Document) -> list[dict[str, Any]]:
    flags = []
    shown = _accounts([account])
    number = account.get("iban") or account.get("account_number")
    bank_country = number["head"][:2] if account.get("iban") and number else account.get("country")
    if bank_country and after.get("country") and bank_country != after["country"]:
        text = f"The account is in {bank_country}, the supplier in {after['country']}."
        flags.append(_flag("bank_country_mismatch", "medium", text, shown))
    if number:
        field = "iban" if account.get("iban") else "account_number"
        other = (
            BankAccount.objects.filter(**{f"{field}__bix": number["bix"]})
            .exclude(record__uid=uid)
            .select_related("record")
            .first()
        )
        if other:
            text = f"{other.record.legal_name} ({other.record.code}) uses this account too."
            flags.append(_flag("bank_account_shared", "high", text, shown))
    holder = account.get("holder")
    if holder and after.get("legal_name") and not _alike(holder, after["legal_name"]):
        text = f"The account holder is “{holder}”, the supplier “{after['legal_name']}”."
        flags.append(_flag("bank_holder_differs", "medium", text, shown))
    return flags


def _alike(one: str, other: str) -> bool:
    words = [set(re.findall(r"\w{3,}", text.casefold())) for text in (one, other)]
    return bool(words[0] & words[1])


def _recent_contact(uid: str) -> list[dict[str, Any]]:
    since = timezone.now() - timedelta(days=30)
    recent = RecordVersion.objects.filter(uid=uid, created_at__gte=since, version__gt=1).order_by("-version")
    for version in recent[:20]:
        if any(path.startswith("contacts") for path in version.changed_paths):
            text = f"A contact changed on {version.created_at:%d %b %Y}, by {version.actor_name}."
            return [_flag("contact_changed_recently", "high", text)]
    return []


def name_risks(uid: str, before: Document | None, after: Document) -> list[dict[str, Any]]:
    """Letters of several scripts inside one word of the name: the classic look-alike."""
    if before and before.get("legal_name") == after.get("legal_name"):
        return []
    for word in re.findall(r"\w+", after.get("legal_name") or ""):
        scripts = {s for char in word if char.isalpha() for s in _SCRIPTS if unicodedata.name(char, "").startswith(s)}
        if len(scripts) > 1:
            text = f"“{word}” mixes letters of {' and '.join(sorted(s.capitalize() for s in scripts))}."
            return [_flag("mixed_script", "high", text, word)]
    return []
