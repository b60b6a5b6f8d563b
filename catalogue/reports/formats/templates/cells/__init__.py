"""From the cells of a row to values: what the row is about, and its line."""
