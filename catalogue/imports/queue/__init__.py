"""Imports that wait: jobs, their check and preview, and the worker that runs them."""
