"""What a page asks with, beside the prompt: how it is read, and how it is explained."""
