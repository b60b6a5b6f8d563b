"""Cached rankings: where their rows are, who reads them, and what people asked for."""
