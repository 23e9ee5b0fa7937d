"""Coupa Core: suppliers by the REST API (/api/suppliers)."""
