"""Numbers for Prometheus.

Each process of the server counts its requests in files that its other processes read (`requests`). Everything else is
in the database, where all servers, workers and commands write it, and is read when somebody asks: counters of what
happened (`stored`), and the state of the applications (`collectors`). So workers need no address of their own.
"""
