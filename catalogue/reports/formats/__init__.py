"""The formats of reports: one folder for each, behind the interface of `interface`. `registry` lists them."""
