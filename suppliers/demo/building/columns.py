"""One entry in the columns of each platform, with that platform's names, cuts, codes and key formats."""

from __future__ import annotations

from collections.abc import Callable

from suppliers.demo.building.entry import CONCUR, COUPA, S4HANA, Entry, chance, cut_words, number, pick

Cells = dict[str, object]

S4_COLUMNS = [
    "Supplier",
    "Name 1",
    "Name 2",
    "Search Term",
    "Search Term 2",
    "Street",
    "House Number",
    "Postal Code",
    "City",
    "Region",
    "Country",
    "Telephone",
    "E-Mail",
    "Website",
    "VAT Registration No.",
    "DUNS",
    "Bank Country",
    "IBAN",
    "SWIFT",
    "Bank Key",
    "Bank Account",
    "Account Holder",
    "Bank Valid From",
    "Company Code",
    "Reconciliation Account",
    "Payment Terms",
    "Currency",
    "Account Group",
    "Corporate Group",
    "Posting Block",
    "Purchasing Block",
]
COUPA_COLUMNS = [
    "Supplier Number",
    "Supplier Name",
    "Display Name",
    "Status",
    "Street 1",
    "Street 2",
    "City",
    "State",
    "Postal Code",
    "Country Code",
    "Tax ID",
    "DUNS",
    "Primary Contact",
    "Contact Email",
    "Contact Phone",
    "Website",
    "Payment Term",
    "Shipping Term",
    "On Hold",
    "Commodity",
    "Tags",
]

TERMS = (
    "NET30",
    "NET30",
    "NET30",
    "NET30",
    "NET30",
    "NET45",
    "NET60",
    "NET14",
    "NET10",
    "NET15",
    "NET90",
    "2N10NET30",
    "IMMEDIATE",
)
S4_TERMS = {
    "IMMEDIATE": "0001", "NET10": "Z010", "NET14": "Z014", "NET15": "Z015", "NET30": "Z030",
    "NET45": "Z045", "NET60": "Z060", "NET90": "Z090", "2N10NET30": "Z210",
}  # fmt: skip
COUPA_TERMS = {
    "IMMEDIATE": "Due on receipt", "NET10": "Net 10", "NET14": "Net 14", "NET15": "Net 15", "NET30": "Net 30",
    "NET45": "Net 45", "NET60": "Net 60", "NET90": "Net 90", "2N10NET30": "2% 10 Net 30",
}  # fmt: skip
CONCUR_TERMS = {
    "IMMEDIATE": 1, "NET10": 10, "NET14": 14, "NET15": 15, "NET30": 30, "NET45": 45, "NET60": 60, "NET90": 90,
    "2N10NET30": 30,  # days only: the discount is lost here, as it is in life
}  # fmt: skip
S4_GROUP = {"nordhaven": "ZNHV", "chicago": "ZCHI", "treasury": "ZTRE"}
COUPA_GROUP = {
    "nordhaven": "Group purchasing",
    "chicago": "Early childhood services",
    "treasury": "Federal contracts",
}
SHIPPING = ("EXW", "FCA", "DAP", "DDP", "CPT")
CURRENCY = {
    "US": "USD", "BR": "BRL", "GB": "GBP", "CH": "CHF", "PL": "PLN", "CZ": "CZK", "SE": "SEK", "DK": "DKK",
    "NO": "NOK", "HU": "HUF", "RO": "RON",
}  # fmt: skip
ENTITY_OF = {
    "NH10": ("DE", "AT", "CH", "PL", "CZ", "HU", "RO", "BG"), "NH20": ("FR", "BE"), "NH30": ("GB", "IE"),
    "NH40": ("ES", "PT", "IT"), "NH90": ("US", "BR"),
}  # fmt: skip
NOISE = ("DO NOT USE", "BLOCKED", "(OLD)", "(DUPLICATE)")  # what people write into a name to stop its use


def terms(entry: Entry) -> str:
    """One supplier, mostly one agreement; every sixth platform still holds an older one."""
    usual = pick(TERMS, "terms", entry.entity)
    return (
        pick(TERMS, "old terms", entry.entity, entry.system)
        if chance(1 / 6, "differs", entry.entity, entry.system)
        else usual
    )


def s4hana(entry: Entry) -> Cells:
    name = entry.name[: entry.cut].strip() if entry.cut else entry.name
    first, rest = cut_words(name, 40)
    cells = dict.fromkeys(S4_COLUMNS, "")
    cells |= {
        "Supplier": entry.key,
        "Name 1": first,
        "Name 2": rest[:40].strip(),
        "Search Term": (entry.trade_name or name)[:20].strip().upper(),
        "Search Term 2": "INVENTED" if entry.group == "nordhaven" else "",
        "Street": entry.street[:60].strip(),
        "House Number": entry.house,
        "Postal Code": entry.postal_code,
        "City": entry.city[:40],
        "Region": entry.region,
        "Country": entry.country,
        "Telephone": entry.phone,
        "E-Mail": entry.email,
        "Website": entry.website,
        "VAT Registration No.": "".join(ch for ch in entry.vat if ch.isalnum()),
        "DUNS": entry.duns,
        "Company Code": next((code for code, countries in ENTITY_OF.items() if entry.country in countries), "NH01"),
        "Reconciliation Account": "0000161000" if entry.group == "nordhaven" else "0000160000",
        "Payment Terms": S4_TERMS[terms(entry)],
        "Currency": CURRENCY.get(entry.country, "EUR"),
        "Account Group": S4_GROUP[entry.group],
        "Corporate Group": entry.parent_duns,
        "Posting Block": "X" if chance(0.01, "posting", entry.key) else "",
        "Purchasing Block": "X"
        if any(word in name.upper() for word in NOISE) or chance(0.01, "buying", entry.key)
        else "",
    } | _bank(entry)
    if entry.upper:
        for column in ("Name 1", "Name 2", "Street", "City", "Account Holder"):
            cells[column] = cells[column].upper()
    return dict(cells)


def _bank(entry: Entry) -> dict[str, str]:
    iban = entry.iban
    if not iban:
        return {}
    day = number("bank day", iban)
    cells = {
        "Bank Country": iban[:2],
        "IBAN": iban,
        "SWIFT": bic(iban),
        "Account Holder": entry.name[:60].strip(),
        "Bank Valid From": f"{2015 + day % 10}-{1 + day // 10 % 12:02d}-{1 + day // 120 % 28:02d}",
    }
    # where the bank code ends and the account number ends
    national = {"DE": (12, 22), "AT": (9, 20), "CH": (9, 21)}
    if iban[:2] in national:
        middle, end = national[iban[:2]]
        cells |= {"Bank Key": iban[4:middle], "Bank Account": iban[middle:end]}
    return cells


def bic(iban: str) -> str:
    """An invented bank's code: letters made from the bank's own number, so that one bank has one code."""
    letters = "".join(chr(65 + number("bic", iban[:2], iban[4:9], str(place)) % 26) for place in range(3))
    return f"Z{letters}{iban[:2]}2X"


def coupa(entry: Entry) -> Cells:
    return {
        "Supplier Number": entry.key,
        "Supplier Name": entry.name[:100].strip(),
        "Display Name": entry.trade_name,
        "Status": "inactive" if chance(0.02, "inactive", entry.key) else "active",
        "Street 1": entry.line,
        "Street 2": entry.line2,
        "City": entry.city,
        "State": entry.region,
        "Postal Code": entry.postal_code,
        "Country Code": entry.country,
        "Tax ID": entry.vat,
        "DUNS": entry.duns,
        "Primary Contact": entry.contact,
        "Contact Email": entry.email,
        "Contact Phone": f"{entry.phone[:3]}-{entry.phone[3:]}"
        if entry.group == "chicago" and entry.phone
        else entry.phone,
        "Website": entry.website,
        "Payment Term": COUPA_TERMS[terms(entry)],
        "Shipping Term": pick(SHIPPING, "shipping", entry.entity) if entry.group == "nordhaven" else "",
        "On Hold": "Yes" if chance(0.015, "hold", entry.key) else "No",
        "Commodity": COUPA_GROUP[entry.group],
        "Tags": "invented" if entry.group == "nordhaven" else "",
    }


def concur(entry: Entry) -> Cells:
    bank: Cells = {}
    if entry.iban:
        grouped = " ".join(entry.iban[i : i + 4] for i in range(0, len(entry.iban), 4))
        bank = {
            "AccountNumber": grouped if chance(0.3, "grouped", entry.key) else entry.iban,
            "RoutingNumber": bic(entry.iban),
            "NameOnAccount": entry.name,
        }
    cells: Cells = {
        "VendorCode": entry.key,
        "AddressCode": "001",
        "VendorName": entry.name,
        "Address1": ", ".join(part for part in (entry.line, entry.line2) if part),
        "City": entry.city,
        "State": entry.region,
        "PostalCode": entry.postal_code,
        "CountryCode": entry.country,
        "CurrencyCode": CURRENCY.get(entry.country, "EUR"),
        "TaxID": entry.vat,
        "PaymentTerms": CONCUR_TERMS[terms(entry)],
        "ContactPhoneNumber": entry.phone,
        "ContactEmail": entry.email,
        "BankAccount": bank,
        "Approved": "N" if chance(0.03, "approved", entry.key) else "Y",
        "Custom1": entry.group.upper(),
    }
    if entry.group == "nordhaven":
        cells["Custom2"] = "INVENTED"
    return {name: value for name, value in cells.items() if value not in ("", {})}


RENDER: dict[str, Callable[[Entry], Cells]] = {S4HANA: s4hana, COUPA: coupa, CONCUR: concur}


def give_keys(system: str, entries: list[Entry]) -> None:
    """Number ranges with gaps, in the order of the file; Coupa also wants every name once."""
    last = {S4HANA: 100_000, COUPA: 20_000, CONCUR: 3_000}[system]
    form = {S4HANA: "{:010d}", COUPA: "{}", CONCUR: "V{:06d}"}[system]
    names: set[str] = set()
    for place, entry in enumerate(entries):
        last += 1 + number("gap", system, str(place)) % 4
        entry.key = form.format(last)
        if system == COUPA:
            _make_unique(entry, names)
        entry.cells = RENDER[system](entry)


def _make_unique(entry: Entry, names: set[str]) -> None:
    """Coupa refuses a second supplier of one name: buyers put the programme behind it, or count."""
    name, suffix, count = entry.name, entry.programme, 1
    while (unique := name if count == 1 else _suffixed(name, suffix, count)).casefold() in names:
        count += 1
    names.add(unique.casefold())
    if unique != name:
        entry.trade_name = entry.trade_name or name
    entry.name = unique


def _suffixed(name: str, programme: str, count: int) -> str:
    suffix = programme if programme and count == 2 else f"{programme} {count - 1 if programme else count}".strip()
    return f"{name[: 97 - len(suffix)].strip()} ({suffix})"
