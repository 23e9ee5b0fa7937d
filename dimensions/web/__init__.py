"""Pages of the dimensions beyond what every record type has."""
