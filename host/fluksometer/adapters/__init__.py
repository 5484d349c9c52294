"""The outside world, one library each: serial port, MQTT, broker, clock, files. Adapters know nothing of each other."""
