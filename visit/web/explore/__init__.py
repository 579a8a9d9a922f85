"""The pane *Explore*: what can be seen of a pass beside the flow graph, one thing at a time."""
