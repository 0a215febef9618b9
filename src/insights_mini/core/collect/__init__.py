"""From specs to contents: what to collect, and its collection, a few pieces at a time."""
