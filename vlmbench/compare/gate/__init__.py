"""The regression gate: one model's runs against a saved baseline, with a verdict and an exit code.

runs.py      a run's files, refused where they do not fit together
baseline.py  what a baseline keeps          baseline_file.py  how it is written and read
rules.py     the project's margins          verdicts.py       from an interval to a verdict
pairing.py   baseline and run as pairs      check.py          the whole check
resources.py speed, latency and memory      changes.py        the samples that lost most
report.py    the verdicts and exit code     outputs/          table, Markdown, JUnit, GitHub
sequential.py  stops a run when its verdict is safe
"""
