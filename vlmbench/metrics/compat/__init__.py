"""How other harnesses read texts and answers: reimplemented from behaviour, quirks included."""
