"""Demo input: real and invented suppliers as three platforms would extract them, and how they were made."""
