"""Pages of sync: the board of targets, the ledger, exceptions, drift."""
