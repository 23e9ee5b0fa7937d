"""Oracle NetSuite: vendors, terms and subsidiaries through SuiteTalk REST web services (record v1)."""
