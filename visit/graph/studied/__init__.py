"""What is measured over many prompts: columns, and the figures made of them."""
