"""Standard Webhooks: a downstream subscriber as a target."""
