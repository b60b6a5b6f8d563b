"""What all applications share, and the version of the release: docs/changelog.md says what each one brought."""

__version__ = "2.0.0"
