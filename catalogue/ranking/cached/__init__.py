"""Rankings that are kept: where their rows are, who reads them, and what people asked for."""
