"""SAP Concur Invoice: vendors by the Vendor API v3.1."""
