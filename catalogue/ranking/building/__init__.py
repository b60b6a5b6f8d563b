"""Building the ranking of a question, by the quickest of three ways."""
