"""Values and pure functions: what a reading is worth. No clock, no file, no socket in here."""
