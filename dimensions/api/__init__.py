"""REST of the dimensions beyond what every record type has: reference services for transaction systems."""
