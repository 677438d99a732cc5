"""The command line: parse, one call into control, print. The only place that prints or exits."""
