"""Tests mirror the packages; fixtures stand in fixtures_*.py, the test databases in database.py."""
