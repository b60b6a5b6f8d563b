"""The lines of DSRs: where they are stored, which of them a question is about, and how they are looked up."""
