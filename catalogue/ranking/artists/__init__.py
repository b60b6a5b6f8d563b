"""The artists with the most revenue."""
