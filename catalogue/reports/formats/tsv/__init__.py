"""TSV reports of six columns: one file, whose name says what it is about, is one DSR."""
