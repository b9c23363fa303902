"""The report: run records in, a static site out."""
