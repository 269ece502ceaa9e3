"""The book's exercise: California housing by a small network, beside the losses that the book printed."""
