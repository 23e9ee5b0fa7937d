"""The Supplier aggregate: models, record type, rules, match features and screens of its own."""
