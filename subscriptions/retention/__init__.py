"""How long raw records are kept."""
