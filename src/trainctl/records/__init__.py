"""Jobs, attempts, states and records: what a run is, folded from its folder."""
