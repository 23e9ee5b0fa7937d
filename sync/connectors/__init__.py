"""One folder per platform. Adding a folder adds a platform; removing it removes the platform."""
