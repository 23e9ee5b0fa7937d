"""Owns the requests a connector makes of Finance's OData service, and reads its answers and refusals."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from sync.auth import OAuth2
from sync.errors import FieldProblem, Refused, Stale
from sync.http import Client, Problems, Response
from sync.protocol import Config

ROOT = "data"
LOGIN = "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"
TOKEN_PATH = "oauth2/v2.0/token"  # below the base address, where nothing else is said
PAGE = 200
LIST_LIMIT = 32 * 1024 * 1024  # a server that ignores the page size asked for sends 10,000 records
NOT_FOUND = 404
EXISTS = "exists"  # the code of “there is a record with this key”
_NOISE = re.compile(
    r"^(validateWrite|validateField|validateDelete) failed|^(Update|Create|Insert) has been cancell?ed", re.I
)
_LABELS = {  # as Finance names fields in its messages
    "Terms of payment": "DefaultPaymentTermsName",
    "Tax exempt number": "TaxExemptNumber",
    "Terms of delivery": "DefaultDeliveryTermsCode",
    "Withholding tax group": "WithholdingTaxGroupCode",
    "Country/region": "AddressCountryRegionId",
    "ZIP/postal code": "AddressZipCode",
    "Vendor account": "VendorAccountNumber",
    "Vendor group": "VendorGroupId",
    "Group": "VendorGroupId",
    "Currency": "CurrencyCode",
    "State": "AddressStateId",
}


class Api:
    """One session. Every address says `cross-company=true`: without it Finance shows and changes only the
    default company of its user."""

    def __init__(self, config: Config) -> None:
        standing = {
            "Accept": "application/json;odata.metadata=minimal",
            "OData-Version": "4.0",
            "OData-MaxVersion": "4.0",
        }
        sensitive = ("IBAN", "BankAccountNumber")
        self.client = Client(config, headers=standing, explain=explain, sensitive=sensitive)
        tenant = str(config.options.get("tenant", ""))
        self.client.auth = OAuth2(
            self.client,
            config,
            url=LOGIN.format(tenant=tenant) if tenant else TOKEN_PATH,
            scope=config.options.get("scope", f"{config.base_url.rstrip('/')}/.default"),
            style="body",
            life=3600.0,
        )
        self.page = int(config.options.get("page_size", PAGE))

    def get(self, entity_set: str, key: Mapping[str, str], select: Iterable[str]) -> dict[str, Any] | None:
        url = self.url(f"{entity_set}({key_text(key)})", select=",".join(select))
        response = self.client.request("GET", url, accept={NOT_FOUND})
        return None if response.status == NOT_FOUND else self.object_of(response)

    def rows(self, entity_set: str, *, filter: str, select: Iterable[str]) -> list[dict[str, Any]] | None:
        """Everything the filter gives; None when this environment has no such entity set."""
        pages = self.pages(entity_set, filter=filter, select=select)
        try:
            return [entity for page in pages for entity in page]
        except Refused as refused:
            if refused.status == NOT_FOUND:
                return None
            raise

    def pages(
        self, entity_set: str, *, filter: str = "", select: Iterable[str], order: Iterable[str] = ()
    ) -> Iterator[list[dict[str, Any]]]:
        """Page by page, as the server links them."""
        url = self.url(entity_set, filter=filter, select=",".join(select), orderby=",".join(order))
        prefer = {"Prefer": f"odata.maxpagesize={self.page}"}
        while url:
            response = self.client.request("GET", url, headers=prefer, max_body=LIST_LIMIT)
            answer = self.object_of(response)
            yield self.page_of(response)
            url, before = str(answer.get("@odata.nextLink") or ""), url
            if url == before:
                raise self.client.unreadable(response)

    def create(self, entity_set: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return self.object_of(self.client.request("POST", self.url(entity_set), json=dict(body)))

    def change(self, entity_set: str, key: Mapping[str, str], body: Mapping[str, Any], etag: str) -> None:
        """Change what is in `body`, if the entity still is as it was read."""
        url = self.url(f"{entity_set}({key_text(key)})")
        try:
            self.client.request("PATCH", url, json=dict(body), headers={"If-Match": etag or "*"})
        except Refused as refused:
            if "update conflict" in refused.message.lower():  # Finance's own lock noticed it, not its web server
                raise Stale(refused.message, status=refused.status, body=refused.body) from None
            raise

    def metadata(self, limit: int) -> bytes:
        headers = {"Accept": "application/xml"}
        return self.client.request("GET", f"{ROOT}/$metadata", headers=headers, max_body=limit).body

    def entity_sets(self) -> list[str]:
        """The names in the service's root: much smaller than its metadata."""
        answer = self.object_of(self.client.request("GET", f"{ROOT}/", max_body=LIST_LIMIT))
        return [str(item.get("name")) for item in answer.get("value") or [] if isinstance(item, dict)]

    def url(self, path: str, **options: str) -> str:
        query = "".join(f"&${name}={quote(value, safe=',()')}" for name, value in options.items() if value)
        return f"{ROOT}/{quote(path, safe='(),=' + chr(39))}?cross-company=true{query}"

    def page_of(self, response: Response) -> list[dict[str, Any]]:
        """The entities of an answer; unreadable otherwise."""
        page = self.object_of(response).get("value")
        if not isinstance(page, list) or not all(isinstance(entity, dict) for entity in page):
            raise self.client.unreadable(response)
        return page

    def object_of(self, response: Response) -> dict[str, Any]:
        """The JSON object of an answer; unreadable otherwise."""
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise self.client.unreadable(response)
        return answer


def literal(value: Any) -> str:
    """A string in a filter or a key: quotes are doubled."""
    return "'" + str(value).replace("'", "''") + "'"


def equals(name: str, values: Iterable[Any]) -> str:
    """`Name eq 'a' or Name eq 'b'`. To Finance an asterisk in a value means anything: look at the answers again."""
    return " or ".join(f"{name} eq {literal(value)}" for value in values)


def key_text(key: Mapping[str, str]) -> str:
    """`dataAreaId='usmf',VendorAccountNumber='V-1'`; a single key goes without its name."""
    if len(key) == 1:
        return literal(next(iter(key.values())))
    return ",".join(f"{name}={literal(value)}" for name, value in key.items())


def explain(response: Response) -> Problems:
    """Finance's own words. The message says little; the reasons stand in the Infolog of `innererror`."""
    try:
        answer = json.loads(response.body)
    except ValueError:
        return "", ()
    error = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(error, dict):  # Entra speaks OAuth2
        return (str(answer.get("error_description") or error or ""), ()) if isinstance(answer, dict) else ("", ())
    inner = error.get("innererror")
    detail = str(inner.get("message") or "") if isinstance(inner, dict) else ""
    reasons = infolog(detail) or [text for text in (detail, str(error.get("message") or "")) if text][:1]
    problems = tuple(FieldProblem(field_of(text), _code(error, text), text) for text in reasons)
    return " ".join(reasons), problems


def infolog(message: str) -> list[str]:
    """The reasons behind `Write failed for table row of type '…'. Infolog: Warning: …; Error: …`."""
    _, found, log = message.partition("Infolog:")
    if not found:
        return []
    texts = [re.sub(r"^(Info|Warning|Error):\s*", "", text.strip()) for text in log.split(";")]
    useful = [text.rstrip(".") + "." for text in texts if text.strip(". ") and not _NOISE.match(text)]
    return list(dict.fromkeys(useful))


def field_of(text: str) -> str:
    """The property a message is about: `Field 'Currency' must be filled in`, `… in field 'State' is not found`."""
    found = re.search(r"[Ff]ield '([^']+)'", text) or re.search(r"[Pp]roperty '([^']+)'", text)
    return _LABELS.get(found[1], found[1]) if found else ""


def _code(error: Mapping[str, Any], text: str) -> str:
    return EXISTS if re.search(r"already exists?\b", text, re.I) else str(error.get("code") or "invalid")
