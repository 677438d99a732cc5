"""The program beside the trainer: shipped in one zip with kit, imported by nobody."""
