"""Owns the sandbox of Concur Invoice: sign-in with geolocation, vendors and their banks, partial success.

Lists and their items are in `sandbox_lists`. It proves “as documented in the Vendor API v3.1”, no more; README.md lists what
the documents leave open.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import sys
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlencode

from sync import flat
from sync.connectors.concur import sandbox_lists as lists
from sync.connectors.concur import sandbox_rules as rules
from sync.connectors.concur.sandbox_seed import bank_of, read_extract
from sync.connectors.concur.shape import BANKS, key_of
from sync.sandbox import Fail, Request, Response, main, route
from sync.sandbox_query import Condition, count, remove, search
from sync.sandbox_store import Row

TOKEN_LIFE = 3600
DEFAULT_PAGE, MAX_PAGE = 25, 1000
RATE_LIMITED = "security.rate.limit.reached"
_SEARCH = {"exact": "eq", "begins": "starts_with", "contains": "contains", "ends": "ends_with"}
_PAGING = {"limit", "offset", "sortBy", "sortDirection", "searchType"}


class ConcurSandbox(lists.ListRoutes):
    name: ClassVar[str] = "concur"
    title: ClassVar[str] = "SAP Concur"
    indexes = {"supplier": ("VendorCode", "TaxID", "Custom20"), **lists.ListRoutes.indexes}
    refuse_field: ClassVar[str] = "VendorName"

    def seed(self, file: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for vendor in read_extract(file):
            bank = bank_of(vendor, self.store.next_number("bank", 7001))
            yield "supplier", key_of(vendor), self._completed({**vendor, **bank})

    def plant(self) -> None:
        """The vendors of the extract, and the list items somebody typed in."""
        super().plant()
        self.plant_items()

    def mutated(self, row: Row, field: str, value: Any) -> dict[str, Any]:
        """Somebody changed a vendor in Concur's pages. Its codes stay: they are how everybody knows it."""
        if field in ("VendorCode", "AddressCode", "shortCode"):
            return row.fields
        changed = super().mutated(row, field, value)
        return {**changed, "Country": value} if field == "CountryCode" else changed

    def answer(self, request: Request) -> Response:
        """SAP-docs authentication/apidoc, Troubleshooting: each answer has a `concur-correlationid`."""
        return self._traced(super().answer(request))

    def error(self, fail: Fail) -> Response:
        """SAP-docs lists/v4.list, Errors; a 429 is `security.rate.limit.reached` with `retry-after: 0`."""
        limited = fail.status == 429
        body = {
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "httpStatus": fail.status,
            "error": {
                "id": RATE_LIMITED if limited else fail.code or "invoice.vendor.error",
                "message": fail.message,
            },
            "validationErrors": [{"source": fail.field, "message": fail.message}] if fail.field else [],
            "path": "/list/v4" if (fail.code or "").startswith(("item.", "list.", "request.")) else "/api/v3.1/invoice",
        }
        headers = {**fail.headers, "Retry-After": "0"} if limited else dict(fail.headers)
        return self._traced(Response(fail.status, body, headers))

    # Signing in

    @route("POST", "/oauth2/v0/token")
    def token(self, request: Request) -> Response:
        """SAP-docs authentication/apidoc: grants client_credentials, password and refresh_token; the answer's
        `geolocation` is the base URI of all other calls; refresh tokens may change at every use."""
        form = request.form()
        grant = form.get("grant_type", "")
        if form.get("client_id") != self.client_id:
            return _denied(401, 61, "invalid_client", "client not found")
        if form.get("client_secret") != self.secret:
            return _denied(401, 64, "invalid_client", "Incorrect credentials. Please Retry")
        if grant not in ("client_credentials", "password", "refresh_token"):
            return _denied(400, 60, "invalid_grant", "these are not the grants you are looking for")
        if grant == "password" and not (form.get("username") and form.get("password")):
            return _denied(400, 5, "invalid_grant", "Incorrect credentials. Please Retry")
        if grant == "refresh_token" and not self._is_refresh(form.get("refresh_token", "")):
            return _denied(400, 108, "invalid_grant", "bad or expired refresh token")
        body = {
            "expires_in": str(TOKEN_LIFE),
            "scope": form.get("scope", "INVVEN"),
            "token_type": "Bearer",
            "access_token": self.issue_token(TOKEN_LIFE),
            "geolocation": request.base_url,
        }
        if grant != "client_credentials":
            body["refresh_token"] = self._refresh_token()
        return Response(200, body)

    # Vendors

    @route("GET", "/api/v3.1/invoice/vendors")
    def vendors(self, request: Request) -> Response:
        """SAP-docs invoice/v3.1.vendor, Retrieve an Existing Vendor: limit, opaque offset, NextPage."""
        self.need_token(request)
        query = request.query
        limit = _limit(query.get("limit", str(DEFAULT_PAGE)))
        conditions = [_condition(name, query) for name in query if name not in _PAGING]
        sort = query.get("sortBy") or "VendorName"
        if sort not in rules.FIELDS:
            raise Fail(400, f"{sort} is no field of the vendor form.", field="sortBy")
        offset = _offset(query.get("offset", ""))
        rows = search(
            self.store,
            "supplier",
            conditions,
            order_by=(sort,),
            descending=query.get("sortDirection", "ascending").lower().startswith("desc"),
            skip=offset,
            top=limit,
        )
        total = count(self.store, "supplier", conditions)
        more = offset + len(rows) < total and bool(rows)
        following = urlencode({**query, "offset": _opaque(offset + len(rows))})
        body = {
            "Items": None,
            "NextPage": f"{request.base_url}{request.path}?{following}" if more else None,
            "RequestRunSummary": None,
            "TotalCount": total,
            "Vendor": [_present(row, request.base_url) for row in rows],
        }
        return Response(200, body)

    @route("POST", "/api/v3.1/invoice/vendors")
    def create(self, request: Request) -> Response:
        """SAP-docs invoice/v3.1.vendor, Create Vendors: a StatusList for each record, inside HTTP 200."""
        return self._each(request, "Vendor", self._create_one)

    @route("PUT", "/api/v3.1/invoice/vendors")
    def update(self, request: Request) -> Response:
        """SAP-docs invoice/v3.1.vendor, Update Existing Vendors: likewise; fields that are not sent stay."""
        return self._each(request, "Vendor", self._update_one)

    @route("DELETE", "/api/v3.1/invoice/vendors")
    def delete(self, request: Request) -> Response:
        """SAP-docs invoice/v3.1.vendor, Delete Vendor: by vendorCode and addressCode."""
        self.need_token(request)
        codes = {
            "VendorCode": request.query.get("vendorCode"),
            "AddressCode": request.query.get("addressCode"),
        }
        row = self.store.get("supplier", key_of(codes))
        if row is not None:
            remove(self.store, "supplier", row.key)
        wrong = [] if row else ["Vendor does not exist."]
        return Response(200, {"Vendor": [{**codes, "StatusList": rules.statuses(wrong, 1, good="Vendor deleted.")}]})

    @route("PUT", "/api/v3.1/invoice/vendor/banks")
    def banks(self, request: Request) -> Response:
        """SAP-docs invoice/v3.1.vendor, Add/Update Vendor Banking: an account is known by its two numbers."""
        return self._each(request, "VendorBank", self._bank_one)

    # Inside

    def _each(self, request: Request, name: str, act: Any) -> Response:
        self.need_token(request)
        body = request.json()
        records = body.get(name) if isinstance(body, dict) else None
        if not isinstance(records, list) or not all(isinstance(item, dict) for item in records):
            raise Fail(400, f"{name} is required.", field=name)
        answered = [act(record, place) for place, record in enumerate(records, 1)]
        return Response(200, {"Items": None, "NextPage": None, "RequestRunSummary": None, name: answered})

    def _create_one(self, record: Mapping[str, Any], place: int) -> dict[str, Any]:
        vendor = rules.accept(record)
        wrong = rules.complaints(vendor)
        if not wrong and self.store.get("supplier", key_of(vendor)):
            wrong = ["VendorCode and AddressCode already exist."]
        if not wrong:
            self.store.put("supplier", key_of(vendor), self._completed({"Approved": "Y", **vendor}))
        return {**record, "StatusList": rules.statuses(wrong, place, good="Vendor created.")}

    def _update_one(self, record: Mapping[str, Any], place: int) -> dict[str, Any]:
        row = self.store.get("supplier", key_of(record))
        if row is None:
            return {**record, "StatusList": rules.statuses(["Vendor does not exist."], place)}
        vendor = {**row.fields, **rules.accept(record)}
        wrong = rules.complaints(vendor)
        if not wrong:
            self.store.put("supplier", row.key, self._completed(vendor))
        return {**record, "StatusList": rules.statuses(wrong, place, good="Vendor updated.")}

    def _bank_one(self, record: Mapping[str, Any], place: int) -> dict[str, Any]:
        row = self.store.get("supplier", key_of(record))
        wrong = rules.bank_complaints(record) if row else ["Vendor does not exist."]
        if row and not wrong:
            bank = {name: record[name] for name in rules.BANK_FIELDS if record.get(name) is not None}
            bank["IsActive"] = rules.yes_or_no(bank["IsActive"])
            known = flat.rows(row.fields, BANKS)
            same = [id for id, held in known.items() if _numbers(held) == _numbers(bank)]
            id = same[0] if same else str(self.store.next_number("bank", 7001))
            leaves = {"ID": id, **known.get(id, {}), **bank}
            self.store.put("supplier", row.key, {**row.fields, **flat.from_rows(BANKS, {id: leaves})})
        return {**record, "StatusList": rules.statuses(wrong, place, good="Bank information saved.")}

    def _completed(self, vendor: Mapping[str, Any]) -> dict[str, Any]:
        known = vendor.get("ID") or hashlib.sha256(key_of(vendor).encode()).hexdigest()[:24].upper()
        return {**vendor, "ID": known, "Country": vendor.get("CountryCode")}

    def need_token(self, request: Request) -> None:
        if not self.has_token(request):
            raise Fail(401, "Access token is missing, unknown or expired.", code="security.token.invalid")

    def _refresh_token(self) -> str:
        """Good for ever and without a memory: signed by the sandbox, so that a restart takes none away."""
        nonce = secrets.token_hex(8)
        return f"{nonce}.{self._signature(nonce)}"

    def _is_refresh(self, token: str) -> bool:
        nonce, _, signature = token.partition(".")
        return hmac.compare_digest(signature, self._signature(nonce))

    def _signature(self, nonce: str) -> str:
        return hmac.new(self.secret.encode(), nonce.encode(), hashlib.sha256).hexdigest()[:24]

    def _traced(self, response: Response) -> Response:
        response.headers.setdefault("concur-correlationid", str(uuid.uuid4()))
        return response


def _denied(status: int, code: int, error: str, description: str) -> Response:
    return Response(status, {"code": code, "error": error, "error_description": description})


def _limit(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= MAX_PAGE:
        raise Fail(400, f"limit must be between 1 and {MAX_PAGE}.", field="limit")
    return int(text)


def _condition(name: str, query: Mapping[str, str]) -> Condition:
    field = rules.FILTERS.get(name)
    operator = _SEARCH.get(query.get("searchType", "exact"))
    if field is None or operator is None:
        raise Fail(400, f"{name if field is None else 'searchType'} is not supported.", field=name)
    value = rules.yes_or_no(query[name]) if field == "Approved" else query[name]
    return Condition(field, operator, value)


def _opaque(offset: int) -> str:
    return base64.urlsafe_b64encode(json.dumps({"skip": offset}).encode()).decode()


def _offset(text: str) -> int:
    try:
        return int(json.loads(base64.urlsafe_b64decode(text))["skip"]) if text else 0
    except (ValueError, KeyError, TypeError):
        raise Fail(400, "offset is not valid.", field="offset") from None


def _numbers(bank: Mapping[str, Any]) -> tuple[str, str]:
    return str(bank.get("AccountNumber") or ""), str(bank.get("RoutingNumber") or "")


def _present(row: Row, base_url: str) -> dict[str, Any]:
    """Every documented field, null when empty, and the active accounts only."""
    vendor: dict[str, Any] = {name: row.fields.get(name) for name in rules.FIELDS}
    banks = [bank for bank in flat.rows(row.fields, BANKS).values() if bank.get("IsActive") == "Y"]
    codes = {"VendorCode": vendor["VendorCode"], "AddressCode": vendor["AddressCode"]}
    vendor["ID"] = row.fields.get("ID")
    vendor["URI"] = f"{base_url}/api/v3.1/invoice/vendors/{row.fields.get('ID')}"
    vendor["VendorBankList"] = [{**codes, **bank, "StatusList": None} for bank in banks]
    vendor["StatusList"] = None
    return vendor


if __name__ == "__main__":
    sys.exit(main(ConcurSandbox))
