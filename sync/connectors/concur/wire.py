"""Owns the requests a connector makes of Concur's Vendor API v3.1, and reads its answers record by record."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sync.connectors.concur.shape import BANKS, REFERENCE, split_key
from sync.connectors.concur.signin import SignIn
from sync.errors import FieldProblem, Refused, SyncError
from sync.http import Client, Problems, Response
from sync.protocol import Config, Exchange

VENDORS, BANK_SERVICE = "api/v3.1/invoice/vendors", "api/v3.1/invoice/vendor/banks"
CORRELATION = "concur-correlationid"
PAGE = 250  # of 1000 at most; an answer stays below the size limit
RETRY_FLOOR = 5.0  # Concur's own example of a 429 says `retry-after: 0`
EXISTS = "exists"  # the code of “this vendor, or item, is there already”
DUPLICATE = "item.duplicate.code"  # how Concur's lists say so; `….deleted` when a deleted item has the code
_GOOD = ("SUCC", "INFO", "WARN")
Record = Mapping[str, Any]


@dataclass(frozen=True)
class Written:
    """What became of one record of a request: Refused, lost when nothing was said of it, or nothing wrong."""

    error: SyncError | None
    said: tuple[Exchange, ...]


class Api:
    """One session. `reference_field` is the custom field of the vendor form that carries our reference."""

    def __init__(self, config: Config) -> None:
        self.client = Client(
            config,
            headers={"Accept": "application/json"},
            explain=explain,
            sensitive=("AccountNumber",),
            retry_floor=RETRY_FLOOR,
            keep_headers=(CORRELATION,),
        )
        self.sign_in = SignIn(self.client, config)
        self.client.auth = self.sign_in
        self.reference_field = str(config.options.get("reference_field", REFERENCE))
        self.page = int(config.options.get("page_size", PAGE))

    def search(self, **filters: str) -> list[dict[str, Any]]:
        """Vendors by exact filters; one page."""
        return self._vendors(self._get({"limit": "100", "searchType": "exact", **filters}))

    def by_reference(self, reference: str) -> list[dict[str, Any]]:
        name = self.reference_field[0].lower() + self.reference_field[1:]
        return self.search(**{name: reference})

    def by_key(self, key: str) -> list[dict[str, Any]]:
        """One vendor; several when the key leaves the address open and there are several."""
        vendor, address = split_key(key)
        if not vendor:
            return []
        found = self.search(vendorCode=vendor, **({"addressCode": address} if address else {}))
        # Filters of a service may be generous; keys are not.
        return [
            held
            for held in found
            if held.get("VendorCode") == vendor and (not address or held.get("AddressCode") == address)
        ]

    def pages(self) -> Iterator[list[dict[str, Any]]]:
        """Every vendor in the order of codes, which never change, so that new names move nothing."""
        url, params = VENDORS, {"limit": str(self.page), "sortBy": "VendorCode", "sortDirection": "ascending"}
        while url:
            self.client.exchanges()  # only what is being said now is kept: a scan has many pages
            response = self._get(params, url)
            yield self._vendors(response)
            url, params = str(self.object_of(response).get("NextPage") or ""), {}

    def create(self, vendor: Mapping[str, Any]) -> None:
        self._write_one("POST", VENDORS, "Vendor", vendor)

    def update(self, vendor: Mapping[str, Any]) -> None:
        self._write_one("PUT", VENDORS, "Vendor", vendor)

    def put_bank(self, bank: Mapping[str, Any]) -> None:
        self._write_one("PUT", BANK_SERVICE, "VendorBank", bank)

    def create_many(self, vendors: Sequence[Record]) -> list[Written]:
        return self._write_many("POST", VENDORS, "Vendor", vendors)

    def put_banks(self, banks: Sequence[Record]) -> list[Written]:
        return self._write_many("PUT", BANK_SERVICE, "VendorBank", banks)

    def _get(self, params: Mapping[str, str], url: str = VENDORS) -> Response:
        self.sign_in.settle()
        return self.client.request("GET", url, params=dict(params) or None)

    def _write_one(self, method: str, url: str, name: str, record: Record) -> None:
        (written,) = self._write(method, url, name, [record])
        if written.error:
            raise written.error

    def _write_many(self, method: str, url: str, name: str, records: Sequence[Record]) -> list[Written]:
        """What the whole request fails with is said of each."""
        try:
            return self._write(method, url, name, records) if records else []
        except SyncError as error:
            return [Written(error, self.client.part({name: [dict(record)]})) for record in records]

    def _write(self, method: str, url: str, name: str, records: Sequence[Record]) -> list[Written]:
        """Send records, and believe each one's own status, never the 200 around them."""
        self.sign_in.settle()
        response = self.client.request(method, url, json={name: [dict(record) for record in records]})
        found = self.object_of(response).get(name)
        items = [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
        written = [self._read_status(response, name, items, record) for record in records]
        if all(isinstance(one.error, Refused) for one in written):
            self.client.undone()
        return written

    def _read_status(self, response: Response, name: str, items: list[dict[str, Any]], record: Record) -> Written:
        own = [item for item in items if _same_record(item, record)]
        said = self.client.part({name: [dict(record)]}, {name: own})
        statuses = [status for item in own for status in item.get("StatusList") or []]
        if not statuses:
            return Written(self.client.unreadable(response), said)
        wrong = [status for status in statuses if not is_good(status)]
        if not wrong:
            return Written(None, said)
        problems = tuple(_problem(status) for status in wrong)
        words = self.client.redactor.text(" ".join(problem.message for problem in problems))
        body = "".join(one.response for one in said)
        return Written(Refused(words, problems=problems, status=response.status, body=body), said)

    def _vendors(self, response: Response) -> list[dict[str, Any]]:
        found = self.object_of(response).get("Vendor")
        if found is None:
            found = []
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise self.client.unreadable(response)
        return found

    def object_of(self, response: Response) -> dict[str, Any]:
        """The JSON object of an answer; unreadable otherwise."""
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise self.client.unreadable(response)
        return answer


def explain(response: Response) -> Problems:
    """Concur's words, with the correlation id that its support desk asks for."""
    try:
        answer = json.loads(response.body)
    except ValueError:
        answer = {}
    answer = answer if isinstance(answer, dict) else {}
    error = answer.get("error")
    error = error if isinstance(error, dict) else {}
    words = str(error.get("message") or answer.get("error_description") or answer.get("Message") or "")
    problems = tuple(
        FieldProblem(str(item.get("source") or ""), str(error.get("id") or "invalid"), str(item.get("message") or ""))
        for item in answer.get("validationErrors") or []
        if isinstance(item, dict)
    )
    if str(error.get("id") or "").startswith(DUPLICATE):
        problems = problems or (FieldProblem("shortCode", EXISTS, words),)
    trace = response.header(CORRELATION)
    return f"{words} (Concur correlation id {trace})" if words and trace else words, problems


def is_good(status: Mapping[str, Any]) -> bool:
    return str(status.get("Type") or "").upper().startswith(_GOOD)


def bank_record(vendor: Mapping[str, Any], bank: Mapping[str, Any], *, active: bool) -> dict[str, Any]:
    keys = {"VendorCode": vendor["VendorCode"], "AddressCode": vendor["AddressCode"]}
    return {"AccountType": "CHCK", **bank, **keys, "IsActive": "Y" if active else "N"}


def vendor_record(vendor: Mapping[str, Any]) -> dict[str, Any]:
    """What may be sent of a vendor as read: no lists, nothing that Concur makes itself."""
    made = {BANKS, "StatusList", "VendorGroupList", "ID", "URI", "Country"}
    return {name: value for name, value in vendor.items() if name not in made and value is not None}


def _same_record(answered: Mapping[str, Any], sent: Mapping[str, Any]) -> bool:
    return all(answered.get(name) == sent[name] for name in ("VendorCode", "AddressCode"))


def _problem(status: Mapping[str, Any]) -> FieldProblem:
    """Concur names no field apart from its words; one at their beginning is taken for it."""
    words = str(status.get("Message") or "Concur refused the record without a word.")
    first = words.split(" ", 1)[0].strip(":'\"")
    code = EXISTS if "already exist" in words.lower() else str(status.get("Code") or "invalid")
    return FieldProblem(first if first[:1].isupper() and not first.islower() and first.isalnum() else "", code, words)
