"""Files as they are delivered, read without Django: bytes, names, cells, problems, and the formats of reports."""
