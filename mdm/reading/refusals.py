"""Why a whole file is refused, in words that say what to do; the codes are stable and stand in
docs/imports.md.
"""

from __future__ import annotations

from mdm.errors import CorrectInput, HubError, TooLarge
from mdm.types import Problem

WORDS = {
    "empty_file": "This file is empty (0 bytes). Export it again and check its size before uploading.",
    "no_rows": "This file has headings but no rows. Check the filter of the export.",
    "no_headings": "This file has no row of headings. The first row must name the columns.",
    "unreadable_headings": "The row of headings cannot be read. {why}",
    "duplicate_column": "The column “{name}” stands in the file twice. Rename one: only one can be meant.",
    "heading_too_long": "A heading has more than 200 characters: the row of headings seems to be missing.",
    "too_many_columns": "This file has more than {limit:,} columns. Export only the columns that are needed.",
    "binary_file": "This is not a table: the content is binary ({what}). Export it as CSV, XLSX or NDJSON.",
    "markup_file": "This is a web page or XML, whatever its name. Choose CSV or XLSX in the export.",
    "json_not_lines": "This is not one JSON object per line. Export it as NDJSON: every line one object.",
    "unknown_encoding": "The characters of this file are in {what}. Save it as UTF-8.",
    "old_excel": "This is an old Excel file (.xls). Save it as “Excel workbook (.xlsx)” or as CSV.",
    "excel_binary": "This is a binary Excel file (.xlsb). Save it as “Excel workbook (.xlsx)” or as CSV.",
    "protected_file": "This file is protected by a password. Remove the protection and save it again.",
    "not_a_workbook": "This is an archive, but no Excel workbook. Unpack it and upload the table inside, "
    "or save the table as .xlsx or CSV.",
    "damaged_workbook": "This workbook is damaged ({what}). Open it, repair it and save it again as .xlsx.",
    "unsafe_workbook": "This workbook holds what no table needs ({what}). Save the table as a new .xlsx.",
}
TOO_LARGE = {
    "file_too_large": "This file has more than {limit:,} bytes. Split it into several files.",
    "unpacks_too_large": "This workbook unpacks to far more than its size ({what}), so it is not opened. "
    "Save only the table as a new .xlsx, or as CSV.",
}


def refuse(code: str, **details: object) -> HubError:
    """The error to raise: `raise refuse("empty_file")`."""
    kind, words = (TooLarge, TOO_LARGE) if code in TOO_LARGE else (CorrectInput, WORDS)
    message = words[code].format(**details)
    return kind(message, problems=[Problem("", code, message)])
