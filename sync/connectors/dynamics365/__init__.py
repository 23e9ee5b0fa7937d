"""Microsoft Dynamics 365 Finance: vendors, payment terms and companies by OData V4."""
