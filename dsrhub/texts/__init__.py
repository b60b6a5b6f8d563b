"""Texts for people: in their language, and what looks the same to them."""
