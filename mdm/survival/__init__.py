"""Survivorship without a database: rules, offers, and the one document that several sources become."""
