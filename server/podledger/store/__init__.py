"""Where pods are kept: one contract, several engines, nothing above them knows which one runs."""
