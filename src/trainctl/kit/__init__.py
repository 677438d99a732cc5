"""What controller and host both need: standard library only, Python 3.8, shipped in the kit's zip."""
