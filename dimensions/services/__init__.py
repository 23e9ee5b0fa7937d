"""What is done with the dimension records: mappings kept ready, translating."""
