"""REST of sync: targets, deliveries, exceptions, drift."""
