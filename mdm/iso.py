"""Owns the codes of countries and currencies, as ISO 3166 and ISO 4217 have them (pycountry) and as books need them."""

import pycountry

COUNTRIES = frozenset(country.alpha_2 for country in pycountry.countries) | {"XK"}
"""ISO 3166-1 alpha-2, and XK as payment networks use it."""

_NO_MONEY = frozenset("XAG XAU XBA XBB XBC XBD XPD XPT XTS XXX".split())  # metals, units of bonds, tests, none
_WITHDRAWN = frozenset(
    "ANG BGN CUC HRK MRO SLL STD VEF ZWL".split()
)  # within ten years: they stand in books that are kept
CURRENCIES = frozenset(currency.alpha_3 for currency in pycountry.currencies) - _NO_MONEY | _WITHDRAWN
"""ISO 4217, those withdrawn lately included, units of account (CLF, XDR) too."""

PLACES = {
    **dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
    **dict.fromkeys("CLF UYW".split(), 4),
}
"""Decimal places of amounts where they are not two (ISO 4217; pycountry leaves them out)."""
