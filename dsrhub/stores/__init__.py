"""Folders on this machine, on S3 and on SFTP servers, behind one interface: see `dsrhub.stores.interface`."""
