"""What controller and host both need: standard library, Python 3.8, shipped in the zip."""
