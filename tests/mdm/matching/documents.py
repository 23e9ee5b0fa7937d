"""Short supplier documents for readable test cases."""

from typing import Any


def supplier(name: str, country: str = "", **said: Any) -> dict[str, Any]:
    """said: vat, street, postcode, city, phone, mail, web, iban, duns, alias."""
    document: dict[str, Any] = {"legal_name": name, "country": country}
    if said.keys() & {"street", "postcode", "city"}:
        document["addresses"] = [
            {
                "kind": "registered",
                "lines": [said.get("street", "")],
                "postal_code": said.get("postcode", ""),
                "city": said.get("city", ""),
                "country": country,
            }
        ]
    if "vat" in said:
        document["tax_registrations"] = [{"country": country, "scheme": "VAT", "number": said["vat"]}]
    if "duns" in said:
        document["identifiers"] = [{"scheme": "DUNS", "value": said["duns"]}]
    if said.keys() & {"phone", "mail"}:
        document["contacts"] = [{"phone": said.get("phone"), "email": said.get("mail")}]
    if "iban" in said:
        document["bank_accounts"] = [{"iban": said["iban"]}]
    if "alias" in said:
        document["trade_names"] = [said["alias"]]
    document["website"] = said.get("web", "")
    return document
