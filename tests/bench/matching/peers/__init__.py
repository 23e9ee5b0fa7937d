"""Other engines, each a script that runs in var/peers (`requirements/install bench`) and imports nothing of the hub."""
