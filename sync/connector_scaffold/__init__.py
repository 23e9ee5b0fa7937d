"""New Platform as a target."""
