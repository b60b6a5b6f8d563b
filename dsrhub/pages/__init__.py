"""What the pages of all applications share: the site of the admin, its navigation, and parts of pages."""
