"""Tryton 8: suppliers, payment terms and companies by JSON-RPC."""
