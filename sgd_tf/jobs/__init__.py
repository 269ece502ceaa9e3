"""Training runs in worker processes, apart from the web server that shows them."""
