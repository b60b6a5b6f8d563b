"""Purges old raw records."""
