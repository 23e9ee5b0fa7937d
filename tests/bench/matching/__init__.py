"""The matching bench: our engine and other engines on the same files in one run. `python -m tests.bench.matching`"""
