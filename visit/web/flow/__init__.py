"""The flow view: which elements are drawn, where they stand, and how they look."""
