"""What the bridge keeps on the disk."""
