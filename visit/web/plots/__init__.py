"""Plotly's figures, and the small charts of the inspector."""
