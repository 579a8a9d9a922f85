"""What the model goes on with: *Continue*, the strip of its tokens, and the tree of branches."""
