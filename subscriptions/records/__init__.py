"""Raw records of usage: values, files, storage, and the services that write them."""
