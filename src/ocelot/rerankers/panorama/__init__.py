"""The numbered picture of a query and its candidates."""
