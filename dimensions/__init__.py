"""Dimension records: legal entities and payment terms (more kinds follow the same shape)."""
