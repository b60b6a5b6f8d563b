"""A database backend that brings its own PostgreSQL: for trying dsrhub out, and for its tests."""
