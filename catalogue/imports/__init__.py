"""Imports of deliveries: at once, or as jobs that people check and confirm and workers do."""
