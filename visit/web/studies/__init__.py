"""A study's report as one page that works offline: its figures, and the page around them."""
