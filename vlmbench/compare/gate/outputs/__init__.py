"""A report of the gate for each reader: a terminal, a pull request, a CI server, GitHub."""
