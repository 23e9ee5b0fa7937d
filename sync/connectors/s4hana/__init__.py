"""All the hub knows of SAP S/4HANA: connector, mapping, and a sandbox of its documented API."""
