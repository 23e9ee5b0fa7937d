"""Weights: the fixed, shipped model, in nats of log-odds (+0.7 doubles the odds); see docs/matching.md."""

from collections.abc import Mapping

WEIGHTS_VERSION = "fixed-1"
# The odds of a pair that shares a key and about which nothing else is known.
BASE = -1.1875
# Sixteenths, so that sums are exact in any order. A level not listed weighs nothing; "unknown" never does.
WEIGHTS: Mapping[str, Mapping[str, float]] = {
    "name": {
        "different": -0.1875,
        "faint": -0.1875,
        "weak": -0.1875,
        "partial": -0.1875,
        "close": 0.0625,
        "very_close": 0.1875,
        "nearly_equal": 0.1875,
        "equal": 0.1875,
    },
    "rarity": {"rare": 0.3125, "very_rare": 0.4375, "unique": 0.4375},
    "other_words": {"none": 1.0, "common": -1.1875, "usual": -1.1875, "rare": -1.1875},
    "extra_words": {"none": 0.125, "common": -0.0625, "usual": -0.0625, "rare": -0.0625},
    "spelling": {
        "different": -0.375,
        "loose": -0.375,
        "similar": -0.375,
        "close": 0.375,
        "very_close": 0.375,
        "equal": 0.375,
    },
    "via": {"alias": 0.3125, "initials": 0.125},
    "form": {"different": -1.5},
    "number": {"same": 1.25, "one_side": -1.5625, "different": -6.0},
    "region": {"same": 0.75, "one_side": -0.875, "different": -2.0},
    "country": {"different": -2.5},
    "street": {
        "same": 0.9375,
        "same_shared": 0.0625,
        "close": 0.6875,
        "no_number": 0.4375,
        "other_number": -0.3125,
        "number_only": -0.3125,
        "different": -0.625,
    },
    "postcode": {"same": 1.125, "area": -0.9375, "different": -0.9375},
    "city": {"same": 0.125, "close": 0.125, "different": -0.25},
    "tax": {"same": 6.0, "same_unchecked": 4.0, "typo": 2.5, "different": -1.0, "conflict": -6.0},
    "identifier": {"same": 1.8125, "different": -1.4375},
    "phone": {"same": 2.0625, "same_shared": 0.4375, "extension": 1.125, "different": -2.0},
    "domain": {"same": 1.125, "same_shared": 0.4375, "different": -2.125},
    "mail": {"same": 0.625},
    "bank": {"same": 2.375, "different": -1.0},
    "pattern": {"namesake": -0.5, "moved": 0.5},
}

# For record types that are a PLACE (a shop, a plant, a school) rather than a legal entity: there the address
# is the identity and names vary between operator, programme and building. Set by that reasoning, not fitted.
SITE_WEIGHTS: Mapping[str, Mapping[str, float]] = {
    **{feature: table for feature, table in WEIGHTS.items() if feature not in ("form", "pattern")},
    "street": {
        "same": 4.5, "same_shared": 4.5, "close": 3.5, "other_number": -4.0, "number_only": -2.0,
        "different": -4.0,
    },
    "postcode": {"same": 0.75, "area": -1.0, "different": -1.5},
    "phone": {"same": 2.0, "same_shared": 0.5, "extension": 0.5, "different": -0.5},
    "other_words": {"none": 1.0, "common": -0.25, "usual": -0.25, "rare": -0.5},
    "number": {"same": 0.5, "one_side": -0.25, "different": -1.0},
}  # fmt: skip
