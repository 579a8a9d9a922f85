"""What holds over many prompts: asked for in the pane *Causes*, drawn and listed."""
