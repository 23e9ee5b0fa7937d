"""Measuring and fitting the matching engine over plain files; run by hand, not part of the test run."""
