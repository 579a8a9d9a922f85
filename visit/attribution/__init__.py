"""A recorded pass taken apart: the parts that add up to each vector, and what each contributes."""
