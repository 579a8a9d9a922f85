"""One forward pass, recorded."""
