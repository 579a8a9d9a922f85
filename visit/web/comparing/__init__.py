"""What differs between two prompts or targets, as the screen says it."""
