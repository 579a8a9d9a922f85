"""A figure for print: how it is fitted to paper, drawn, and what is said above and below it."""
