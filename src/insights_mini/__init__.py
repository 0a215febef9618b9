"""insights-mini: the Insights client as one file of standard-library Python."""
