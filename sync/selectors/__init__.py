"""Everything sync shows: the ledger, targets, exceptions, drift."""
