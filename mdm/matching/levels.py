"""Levels: what a comparison can find per feature; the vocabulary that weights and explanations share."""

# Level 0 of every feature means that one side says nothing; its weight is always zero.
LEVELS: dict[str, tuple[str, ...]] = {
    "name": (
        "unknown",
        "different",
        "faint",
        "weak",
        "partial",
        "close",
        "very_close",
        "nearly_equal",
        "equal",
    ),
    "rarity": ("unknown", "common", "usual", "uncommon", "rare", "very_rare", "unique"),
    "other_words": ("unknown", "none", "common", "usual", "rare"),
    "extra_words": ("unknown", "none", "common", "usual", "rare"),
    "spelling": ("unknown", "different", "loose", "similar", "close", "very_close", "equal"),
    "via": ("unknown", "alias", "initials"),
    "form": ("unknown", "same", "alike", "different"),
    "number": ("unknown", "same", "one_side", "different", "different_bare"),
    "region": ("unknown", "same", "one_side", "different"),
    "country": ("unknown", "same", "different"),
    "street": (
        "unknown",
        "same",
        "same_shared",
        "close",
        "no_number",
        "other_number",
        "number_only",
        "different",
    ),
    "postcode": ("unknown", "same", "typo", "area", "different"),
    "city": ("unknown", "same", "close", "different"),
    "tax": ("unknown", "same", "same_unchecked", "typo", "different", "conflict"),
    "identifier": ("unknown", "same", "different"),
    "phone": ("unknown", "same", "same_shared", "extension", "different"),
    "domain": ("unknown", "same", "same_shared", "close", "different"),
    "mail": ("unknown", "same", "different"),
    "bank": ("unknown", "same", "shared", "different"),
    "pattern": ("unknown", "relative", "relative_strong", "namesake", "moved", "agreeing"),
}
FEATURES = tuple(LEVELS)
INDEX = {feature: {level: i for i, level in enumerate(levels)} for feature, levels in LEVELS.items()}
