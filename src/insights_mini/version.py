"""The one place that holds the version (semantic versioning)."""

VERSION = "0.1.0"
