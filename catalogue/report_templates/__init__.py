"""Templates in the database: their versions, and which of them reads a file."""
