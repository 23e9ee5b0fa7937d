"""The views of the web UI, one module per area: each a few lines between a form or address and a page."""
