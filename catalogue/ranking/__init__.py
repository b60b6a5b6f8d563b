"""The resources with the most revenue in EUR, exactly: ranked inside the database, and cached there."""
