"""A database backend with its own PostgreSQL, for trying dsrhub out and for its tests."""
