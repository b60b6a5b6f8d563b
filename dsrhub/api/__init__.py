"""What the REST API of every application shares: routes, parameters, fields, pages and errors."""
