"""Raw usage records: their values, files and storage, and the services that write them."""
