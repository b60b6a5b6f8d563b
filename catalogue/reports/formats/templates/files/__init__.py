"""From a file to its rows: texts of delimited cells, workbooks, headings, and which rows are sales."""
