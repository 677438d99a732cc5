"""What trainctl costs, each bar beside its floor: `./run bench [NAMES...] [--quick]`."""
