"""Errors of matching, named for what the caller must do next."""


class FeaturesOutdated(ValueError):
    """Features were made by another version: make them again from the document, then compare."""

    def __init__(self, found: object, expected: int) -> None:
        super().__init__(f"features of version {found}, this engine compares version {expected}: rebuild them")
