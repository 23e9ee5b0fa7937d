"""Oracle Fusion Cloud: suppliers."""
