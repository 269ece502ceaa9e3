"""How samples are drawn: visits, the error floor, sorted data, copies."""
