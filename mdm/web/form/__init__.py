"""The form of a record type, derived from its document: what is asked, what was sent, what is wrong with it."""
