"""What happens to every request and response, before and after the views, and the server's worker."""
