"""What the bridge serves by HTTP (docs/rest.md)."""
