"""The REST endpoints for questions about DSRs. `docs/questions.md` says what they answer."""
