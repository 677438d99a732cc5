"""Where runs happen: one protocol, one file a platform, no platform knows another."""
