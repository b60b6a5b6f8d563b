"""The toolbox for PostgreSQL that both applications share: statements, COPY, locks and time limits."""
