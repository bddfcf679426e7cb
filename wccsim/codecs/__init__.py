"""Feature-map codecs, one a file, one interface: encode, decode, exact bits, cost (docs/codecs.md)."""
