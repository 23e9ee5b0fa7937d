"""Owns rendering for one target: opens seals for the moment of sending, and fingerprints what was rendered.

Fingerprints are keyed hashes, because a plain hash of a bank number could be guessed back.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from mdm import crypto
from mdm.types import Document
from sync import flat, platforms
from sync.errors import NotSupported
from sync.mapping import Mapping as FieldMapping
from sync.mapping import ValueMaps
from sync.models import FieldRule, Target, ValueMapRow
from sync.redact import mask_number
from sync.value_maps import Default


@dataclass(frozen=True)
class Renderer:
    """One record type for one target, with its value maps as they are now."""

    target: Target
    mapping: FieldMapping
    values: ValueMaps
    version: str

    def render(self, document: Document) -> dict[str, Any]:
        """The flat payload in plain text: only ever in memory. Raises Unmapped or Refused."""
        return self.mapping.render(crypto.open_tree(document), self.values)

    def hash(self, payload: Mapping[str, Any]) -> str:
        return fingerprint(payload)

    @property
    def parts(self) -> list[str]:
        """The parts of the target that can be written there; the others are neither sent nor compared."""
        return [part for part in self.mapping.parts if self.target.pushable.get(part, True)]

    def path_of(self, field: str) -> str:
        """The document's path behind a field as the platform named it, whole or only its last part."""
        rules = self.mapping.rules
        every = [*rules.fields, *(rule for rows in rules.rows for rule in rows.fields)]
        wanted = flat.generic_name(field)
        for rule in every:
            if rule.sources and any(name == wanted or name.endswith(f".{field}") for name in rule.names):
                return rule.sources[0].text
        return field

    def storable(self, field: str, value: Any) -> Any:
        """A value of the target as it may be kept: bank numbers sealed; of rows only the leaves the mapping knows,
        because an unknown one may hold a number nobody declared."""
        if isinstance(value, Mapping):
            part = flat.split_name(field)[0]
            named = {leaf: flat.join_name(part, "*", leaf) for leaf in value}
            return {
                leaf: self.storable(named[leaf], item) for leaf, item in value.items() if self.adoptable(named[leaf])
            }
        if value in (None, "") or not self.mapping.is_sealed(field):
            return value
        return crypto.seal(str(value))

    def adoptable(self, field: str) -> bool:
        """The mapping knows the field and it is not made by the target."""
        try:
            return not self.mapping.rule(field)[0].derived
        except NotSupported:
            return False


def renderer(target: Target, type: str) -> Renderer:
    """Reads the value maps once; keep it for a batch, not for longer."""
    mapping = platforms.mapping_of(target.connector, type)
    values: dict[str, dict[str, Any]] = {}
    rows = ValueMapRow.objects.filter(target=target).values_list("table", "ours", "theirs", "default")
    for table, ours, theirs, default in rows:
        values.setdefault(table, {})[ours] = Default(theirs) if default else theirs
    rules = dict(FieldRule.objects.filter(target=target, type=type).values_list("field", "rule"))
    said = [values, rules] if rules else values
    own = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:8] if said else "default"
    return Renderer(target, mapping.with_rules(rules), values, f"{mapping.version}.{own}")


def fingerprint(content: Any) -> str:
    """Keyed hash of any JSON; equal content gives equal hashes, nothing can be guessed back from one."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hmac.new(base64.b64decode(settings.INDEX_KEY), text.encode(), hashlib.sha256).hexdigest()


def conceal(text: str, values: Iterable[str], limit: int = 2000) -> str:
    """Words from outside, without the bank numbers we know of and without control characters."""
    for value in sorted((value for value in values if len(value) >= 4), key=len, reverse=True):
        text = text.replace(value, mask_number(value))
    if not text.isprintable():
        text = "".join(char if char.isprintable() or char in "\n\t" else "�" for char in text)
    return text if len(text) <= limit else text[: limit - 1] + "…"
