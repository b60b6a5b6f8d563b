"""Numbers and times: as they are read, stored, and shown."""
