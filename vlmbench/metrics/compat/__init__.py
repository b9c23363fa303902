"""How other harnesses read texts and answers: reimplemented from behavior, quirks included."""
