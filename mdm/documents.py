"""Building blocks of canonical documents (pydantic): what every type shares, and the field types with their checks.

A document is at once the schema, the validation and the JSON that requests, events, deliveries, exports and drift use.
"""

from __future__ import annotations

import re
import uuid
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError
from stdnum import bic as stdnum_bic
from stdnum import iban as stdnum_iban

from mdm import crypto
from mdm.iso import COUNTRIES, CURRENCIES

_BIDI = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def _clean(value: Any) -> Any:
    """Blank means absent; invisible direction marks and control characters are refused, never silently kept."""
    if not isinstance(value, str):
        return value
    if _CONTROL.search(value):
        raise PydanticCustomError("control_character", "Remove the control characters from this value.")
    if _BIDI.search(value):
        raise PydanticCustomError("invisible_character", "Remove the invisible direction marks from this value.")
    return " ".join(value.split()) or None


def _country(value: Any) -> Any:
    value = _clean(value)
    if value is None:
        return None
    code = str(value).upper()
    if code not in COUNTRIES:
        raise PydanticCustomError(
            "invalid_country", "“{value}” is not an ISO country code such as DE.", {"value": value}
        )
    return code


def _currency(value: Any) -> Any:
    value = _clean(value)
    if value is None:
        return None
    code = str(value).upper()
    if code not in CURRENCIES:
        raise PydanticCustomError(
            "invalid_currency", "“{value}” is not an ISO currency code such as EUR.", {"value": value}
        )
    return code


def _email(value: Any) -> Any:
    value = _clean(value)
    if value is None:
        return None
    if not re.fullmatch(r"[^@\s,;<>()\[\]]+@[^@\s.,;]+(\.[^@\s.,;]+)+", str(value)) or len(str(value)) > 254:
        raise PydanticCustomError("invalid_email", "“{value}” is not an e-mail address.", {"value": value})
    return value


def _iban(value: Any) -> Any:
    if value is None or crypto.is_sealed(value):
        return value
    number = crypto.normalise_number(str(value))
    if not number:
        return None
    if not stdnum_iban.is_valid(number):
        raise PydanticCustomError("invalid_iban", "This IBAN is not valid: its check digits or its length are wrong.")
    return crypto.seal(number)


def _number(value: Any) -> Any:
    if value is None or crypto.is_sealed(value):
        return value
    number = crypto.normalise_number(str(value))
    if number and not re.fullmatch(r"[0-9A-Z*]{3,34}", number):
        raise PydanticCustomError("invalid_account_number", "An account number has 3 to 34 letters and digits.")
    return crypto.seal(number) if number else None


def _bic(value: Any) -> Any:
    value = _clean(value)
    if value is None:
        return None
    if not stdnum_bic.is_valid(str(value)):
        raise PydanticCustomError("invalid_bic", "“{value}” is not a BIC (8 or 11 characters).", {"value": value})
    return str(value).replace(" ", "").upper()


def _uid(value: Any) -> str:
    try:
        return str(uuid.UUID(str(value)))
    except ValueError:
        raise PydanticCustomError("invalid_uid", "“{value}” is not a uid.", {"value": str(value)[:40]}) from None


_SEALED_SCHEMA = {
    "anyOf": [{"type": "string"}, {"type": "null"}],
    "description": "Sent plain, shown masked (DE89…3000).",
}

Text = Annotated[str, BeforeValidator(_clean), StringConstraints(max_length=200)]
Name = Annotated[str, BeforeValidator(_clean), StringConstraints(min_length=1, max_length=200)]
LongText = Annotated[str, BeforeValidator(_clean), StringConstraints(max_length=2000)]
Code = Annotated[
    str, BeforeValidator(_clean), StringConstraints(max_length=40, pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$")
]
Country = Annotated[str, BeforeValidator(_country), WithJsonSchema({"type": "string", "pattern": "^[A-Z]{2}$"})]
Currency = Annotated[str, BeforeValidator(_currency), WithJsonSchema({"type": "string", "pattern": "^[A-Z]{3}$"})]
Email = Annotated[str, BeforeValidator(_email), WithJsonSchema({"type": "string", "format": "email"})]
Iban = Annotated[Any, BeforeValidator(_iban), WithJsonSchema(_SEALED_SCHEMA)]
AccountNumber = Annotated[Any, BeforeValidator(_number), WithJsonSchema(_SEALED_SCHEMA)]
Bic = Annotated[str, BeforeValidator(_bic), WithJsonSchema({"type": "string"})]
Uid = Annotated[str, BeforeValidator(_uid), WithJsonSchema({"type": "string", "format": "uuid"})]
Day = Annotated[date, PlainSerializer(lambda day: day.isoformat(), return_type=str)]
Texts = Annotated[list[Text], Field(default_factory=list, max_length=50)]


class Part(BaseModel):
    """Base of a document and of its children: unknown fields are errors, blanks are absent."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, validate_default=False)


class ChildDocument(Part):
    """A row inside a document; `uid` is given by the hub when it is new."""

    uid: Uid | None = None


class PeriodDocument(ChildDocument):
    """Values that hold from a day up to, not on, another; without a day they hold since ever, or for good."""

    valid_from: Day | None = None
    valid_to: Day | None = None


class DatedDocument(Part):
    """Base of documents with periods: what holds today stands at the top, every period in the list below.

    Of a proposal `valid_from` says from when the values given hold, and `valid_to` up to when. `validity`: whether the
    values shown hold (current), will hold first (planned) or held last (ended).
    """

    valid_from: Day | None = None
    valid_to: Day | None = None
    validity: Annotated[Literal["planned", "current", "ended"] | None, Field(json_schema_extra={"readOnly": True})] = (
        None
    )
