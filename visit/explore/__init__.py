"""What stands beside the flow graph: saliency, factors, norms, heads, maps, each of one trace."""
