"""See the modules; the map of the house is in wccsim/__init__.py."""
