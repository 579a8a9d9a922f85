"""What explorables answer: plain types, each with its numbers as tables and its words."""
