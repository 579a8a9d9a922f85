"""The page: its frame, its controls, its words, and the panels that stand around a graph."""
