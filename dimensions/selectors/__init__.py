"""Reading the dimension records beyond what every record type has."""
