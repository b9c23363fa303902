"""`vlmbench tasks prepare`: downloaded files -> the rows that a task reads."""
