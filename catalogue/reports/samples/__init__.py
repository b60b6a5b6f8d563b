"""Samples of invented recordings, to try out dsrhub, for tests, and of any size for benchmarks.

The same arguments give the same files on every machine: only `random()` of Python's generator is used, whose sequence
never changes, and only float operations that IEEE 754 rounds exactly: `sqrt` is one of them, `**` is none. The content
of a file is generated line by line, or block by block.
"""
