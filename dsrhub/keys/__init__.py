"""API keys of programs: each has a name, an owner, scopes, an end, and a secret that is shown once."""
