"""Everything that leaves the hub or comes in over the wire: lanes, deliveries, connectors, drift."""
