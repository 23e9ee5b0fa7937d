"""Managed file transfer: CSV files, checksums and acknowledgements over SFTP."""
