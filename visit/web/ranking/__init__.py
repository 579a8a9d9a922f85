"""The *Parts* panel: every part that matters for a prediction, ranked, as a table and as maps."""
