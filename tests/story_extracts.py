"""The small extracts with one more company in each, held twice by every platform under two keys: what stories merge."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

from openpyxl import load_workbook

from tests import database

SMALL = database.ROOT / "suppliers" / "demo" / "extracts" / "small"
FILES = {"s4hana": "s4hana_suppliers.csv", "coupa": "coupa_suppliers.xlsx", "concur": "concur_vendors.ndjson"}
ROWS = 42  # in each file
# Keys of the company and of its second entry, per platform.
FIRST = {"s4hana": "0000108001", "coupa": "28001", "concur": "V008001/001"}
SECOND = {"s4hana": "0000108002", "coupa": "28002", "concur": "V008002/001"}
NAME, OTHER_NAME = "Haldenwerk Antriebe GmbH", "HALDENWERK ANTRIEB GMBH"
OTHER_MAIL = "office@haldenwerk.example"
IBAN, VAT = "DE39100500000054321098", "DE314159262"


def extend(folder: Path) -> dict[str, Path]:
    """Copies of the three files with the two rows at their end."""
    files = {system: folder / name for system, name in FILES.items()}
    for file in files.values():
        shutil.copy(SMALL / file.name, file)
    _csv(files["s4hana"])
    _workbook(files["coupa"])
    _lines(files["concur"])
    return files


def _csv(file: Path) -> None:
    with file.open(encoding="utf-8-sig", newline="") as source:
        columns = next(csv.reader(source, delimiter=";"))
    both = {
        "House Number": "12", "Street": "Lindenweg", "City": "Erfurt", "Country": "DE", "Company Code": "NH10",
        "Reconciliation Account": "0000160000", "Currency": "EUR", "Account Group": "ZNHV",
    }  # fmt: skip
    first = {
        "Supplier": FIRST["s4hana"], "Name 1": NAME, "Search Term": "HALDENWERK", "Postal Code": "99084",
        "VAT Registration No.": VAT, "Bank Country": "DE", "IBAN": IBAN, "Account Holder": NAME,
        "Payment Terms": "Z030", "E-Mail": "rechnung@haldenwerk.example",
    }  # fmt: skip
    second = {
        "Supplier": SECOND["s4hana"], "House Number": "14", "Name 1": OTHER_NAME, "Search Term": "HALDENWERK",
        "Postal Code": "99085",
        "Payment Terms": "Z045", "E-Mail": OTHER_MAIL, "Website": "https://www.haldenwerk.example",
    }  # fmt: skip
    with file.open("a", encoding="utf-8", newline="") as target:
        writer = csv.DictWriter(target, columns, delimiter=";", restval="")
        writer.writerows([both | first, both | second])


def _workbook(file: Path) -> None:
    book = load_workbook(file)
    sheet = book.worksheets[0]
    columns = [cell.value for cell in sheet[1]]
    both = {"Status": "active", "Street 1": "Lindenweg 12", "City": "Erfurt", "Country Code": "DE", "On Hold": "No",
            "Commodity": "Group purchasing", "Primary Contact": "Ruth Sander"}  # fmt: skip
    first = {"Supplier Number": FIRST["coupa"], "Supplier Name": NAME, "Postal Code": "99084", "Tax ID": VAT,
             "Payment Term": "Net 30", "Contact Email": "rechnung@haldenwerk.example"}  # fmt: skip
    second = {"Supplier Number": SECOND["coupa"], "Supplier Name": OTHER_NAME, "Street 1": "Lindenweg 14", "Postal Code": "99085",
              "Payment Term": "Net 45", "Contact Email": OTHER_MAIL}  # fmt: skip
    for row in (both | first, both | second):
        sheet.append([row.get(str(column)) for column in columns])
    book.save(file)


def _lines(file: Path) -> None:
    both = {"AddressCode": "001", "Address1": "Lindenweg 12", "City": "Erfurt", "CountryCode": "DE",
            "CurrencyCode": "EUR", "Approved": "Y", "Custom1": "NORDHAVEN"}  # fmt: skip
    first = {"VendorCode": "V008001", "VendorName": NAME, "PostalCode": "99084", "TaxID": VAT, "PaymentTerms": 30}
    second = {"VendorCode": "V008002", "VendorName": OTHER_NAME, "Address1": "Lindenweg 14", "PostalCode": "99085",
              "PaymentTerms": 45, "ContactEmail": OTHER_MAIL}  # fmt: skip
    text = file.read_text(encoding="utf-8")
    added = "".join(json.dumps(both | row, ensure_ascii=False) + "\n" for row in (first, second))
    file.write_text(text + ("" if text.endswith("\n") else "\n") + added, encoding="utf-8")
