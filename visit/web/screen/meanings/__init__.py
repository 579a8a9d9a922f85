"""What the words of the screen mean, a module a topic; ``screen.glossary`` joins them."""
