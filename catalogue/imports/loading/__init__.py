"""The steps of one import."""
