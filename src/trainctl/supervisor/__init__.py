"""The program beside the trainer: shipped to every host in one zip with kit, imported by nobody."""
