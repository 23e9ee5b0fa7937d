"""Files of others: told apart by content, read safely in constant memory, mapped to documents; and written
for people.

Pure: no database, no HTTP. `tables.read` gives rows, `columns.ColumnMap` makes documents of them, `exports`
writes.
"""
