"""Artists by revenue."""
