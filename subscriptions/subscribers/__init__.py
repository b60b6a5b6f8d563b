"""The subscriptions themselves."""
