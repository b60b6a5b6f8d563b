"""Who may do what: tokens and keys of programs, how programs sign in, and permissions."""
