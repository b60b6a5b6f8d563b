"""DDEX flat-file DSRs: messages of one or more files, with the summaries and lines of several sales contexts."""
