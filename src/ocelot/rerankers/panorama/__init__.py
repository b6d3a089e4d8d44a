"""The numbered picture of a query and its candidates, for models that see."""
