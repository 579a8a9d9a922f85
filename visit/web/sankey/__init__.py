"""One layer as a Sankey diagram."""
