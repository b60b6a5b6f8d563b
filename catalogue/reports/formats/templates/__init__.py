"""Files of columns under any headings. A template, which people make, says how to read them."""
