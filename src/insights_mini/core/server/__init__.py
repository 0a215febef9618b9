"""The way to the service: one HTTP transport, and what talks through it."""
