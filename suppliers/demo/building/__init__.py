"""How the three demo extracts are made from the sources beside them."""
