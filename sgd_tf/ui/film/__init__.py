"""Films that the browser plays: `picture` says what is seen, `player` shows it."""
