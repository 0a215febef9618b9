"""A host that does not boot any more, a rescue system, and a machine to start it in."""
